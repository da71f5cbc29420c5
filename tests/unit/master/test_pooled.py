"""The index of attempts of pools: how each stands, and who was told of it."""

from typing import Any

from orchestrator.core.instance import TaskInstance
from orchestrator.core.pool import GIVES_WAY, WAITS_FOR_SLOT
from orchestrator.master.pooled import Pooled, Standing
from tests.builders import INSTANCE_ID, a_head, a_task, an_attempt

GROUP = "default"
MANY = 10


def note(pooled: Pooled, task: str = "a", **fields: Any) -> TaskInstance:
    """Let the index see a row of a task that stands in line."""
    row = an_attempt(task, **{"reason": WAITS_FOR_SLOT, "line_ups": 1, **fields})
    pooled.note(a_head(), a_task(task, pool="few"), row)
    return row


def told(pooled: Pooled, standing: Standing = Standing.IN_LINE, most: int = MANY) -> list[str]:
    """Tell those who stand so; return their tasks."""
    return [task for _, task in pooled.tell(GROUP, standing, most)]


def test_row_that_is_seen_again_as_it_was_needs_no_second_word() -> None:
    """Rows are looked at whenever anything of their run changes; the answer is another row."""
    pooled = Pooled()
    note(pooled)
    assert (told(pooled), told(pooled)) == (["a"], [])

    note(pooled)

    assert told(pooled) == []
    assert pooled.of(GROUP, Standing.IN_LINE) == [(INSTANCE_ID, "a")]


def test_other_attempt_or_time_in_line_needs_its_own_word() -> None:
    """A retry, or who left the line and came back, in one step: the task stands as it did."""
    pooled = Pooled()
    note(pooled)
    told(pooled)

    note(pooled, line_ups=2)
    assert told(pooled) == ["a"]
    note(pooled, attempt=2)
    assert told(pooled) == ["a"]
    note(pooled, attempt=2, reason=GIVES_WAY)
    assert (told(pooled), told(pooled, Standing.GIVES_WAY)) == ([], ["a"])


def test_so_many_are_told_at_once_the_first_ones_first() -> None:
    """The others come next, whether those have answered or not."""
    pooled = Pooled()
    for task in "abcde":
        note(pooled, task)
    assert told(pooled, most=2) == ["a", "b"]
    pooled.forget((INSTANCE_ID, "c"))

    assert (told(pooled, most=2), told(pooled, most=2)) == (["d", "e"], [])


def test_who_was_forgotten_is_told_again_when_it_is_back() -> None:
    """What was on its way was dropped with its run."""
    pooled = Pooled()
    note(pooled)
    told(pooled)

    pooled.forget((INSTANCE_ID, "a"))
    assert (pooled.groups(), pooled.of(GROUP, Standing.IN_LINE)) == ([], [])
    note(pooled)

    assert (pooled.groups(), told(pooled)) == ([GROUP], ["a"])
