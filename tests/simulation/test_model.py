"""Tests of the reference model: the trigger table, right ends and wrong ends."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.core.definition import OnFailure, Trigger
from tests.builders import a_definition, a_task
from tests.simulation.model import Seen, SeenAttempt, judge
from tests.simulation.model_triggers import Outcome, Word, wired, word_of
from tests.simulation.plan import ALWAYS, PlannedRun, Script

S, F, K, N = Outcome.SUCCESS, Outcome.FAILED, Outcome.SKIPPED, Outcome.NOT_RUN
OPEN = Outcome.OPEN

# --- the trigger table -----------------------------------------------------------------------

RUN, SKIP, NOT_RUN, WAIT = Word.RUN, Word.SKIP, Word.NOT_RUN, Word.WAIT
ORDER = (Trigger.ALL_SUCCESS, Trigger.NONE_FAILED, Trigger.ALL_DONE, Trigger.ONE_SUCCESS, Trigger.ONE_FAILED)
TABLE: list[tuple[tuple[Outcome, ...], tuple[Word, ...]]] = [
    ((), (RUN, RUN, RUN, RUN, RUN)),
    ((S,), (RUN, RUN, RUN, RUN, SKIP)),
    ((F,), (NOT_RUN, NOT_RUN, RUN, NOT_RUN, RUN)),
    ((N,), (NOT_RUN, NOT_RUN, RUN, NOT_RUN, RUN)),
    ((K,), (SKIP, RUN, RUN, SKIP, SKIP)),
    ((S, S), (RUN, RUN, RUN, RUN, SKIP)),
    ((S, K), (RUN, RUN, RUN, RUN, SKIP)),
    ((S, F), (NOT_RUN, NOT_RUN, RUN, RUN, RUN)),
    ((S, N), (NOT_RUN, NOT_RUN, RUN, RUN, RUN)),
    ((F, N), (NOT_RUN, NOT_RUN, RUN, NOT_RUN, RUN)),
    ((F, K), (NOT_RUN, NOT_RUN, RUN, NOT_RUN, RUN)),
    ((N, K), (NOT_RUN, NOT_RUN, RUN, NOT_RUN, RUN)),
    ((K, K), (SKIP, RUN, RUN, SKIP, SKIP)),
    ((S, F, K), (NOT_RUN, NOT_RUN, RUN, RUN, RUN)),
    ((S, OPEN), (WAIT, WAIT, WAIT, RUN, WAIT)),
    ((F, OPEN), (WAIT, WAIT, WAIT, WAIT, RUN)),
    ((K, OPEN), (WAIT, WAIT, WAIT, WAIT, WAIT)),
]


@pytest.mark.parametrize(("upstreams", "words"), TABLE)
def test_the_trigger_table_is_that_of_the_semantics(
    upstreams: tuple[Outcome, ...], words: tuple[Word, ...]
) -> None:
    """Each trigger says what section 4 says, in whatever order the upstreams stand."""
    for given in (upstreams, upstreams[::-1]):
        assert tuple(word_of(trigger, given) for trigger in ORDER) == words


def test_a_disabled_task_is_a_wire() -> None:
    """Whoever needs disabled tasks needs what they need, once; behind wires alone it is a root."""
    definition = a_definition(
        a_task("end", "wire2", "a"),
        a_task("wire2", "wire1", "b", disabled=True),
        a_task("wire1", "a", disabled=True),
        a_task("a"),
        a_task("b"),
        a_task("loose", disabled=True),
        a_task("behind", "loose"),
    )

    upstreams = wired(definition)

    assert {name: set(sources) for name, sources in upstreams.items()} == {
        "a": set(),
        "b": set(),
        "end": {"a", "b"},
        "behind": set(),
    }


# --- right and wrong ends --------------------------------------------------------------------


DEATH = "worker child died: SIGKILL"
ENDS = {
    "LOST": ("LOST", DEATH),
    "gone": ("LOST", "worker w1 is gone"),
    "given up": ("FAILURE", f"lost: {DEATH}"),
    "given up, gone": ("FAILURE", "lost: worker w1 is gone"),
}
"""Names of ends in these tests that say more than the state does."""


def an_end(task: str, *ends: str, **fields: Any) -> list[SeenAttempt]:
    """Return the attempts of a task that ended like this: states, or names of `ENDS`."""
    rows: list[SeenAttempt] = []
    for number, end in enumerate(ends, 1):
        state, reason = ENDS.get(end, (end, None))
        row = SeenAttempt(
            task=task,
            attempt=number,
            state=state,
            reason=reason,
            failures=sum(one.state == "FAILURE" for one in rows),
            current=number == len(ends),
        )
        rows.append(row)
    return [replace(row, **fields) for row in rows]


def seen(state: str, *rows: Iterable[SeenAttempt], stop: bool = False) -> Seen:
    """Return what is seen of a run."""
    attempts = tuple(one for some in rows for one in some)
    return Seen(state=state, attempts=attempts, stop_was_sent=stop, paused_was_sent=False)


ONE = PlannedRun(definition=a_definition(a_task("a", retries=2)))
TRIED = replace(ONE, scripts={"a": Script(failures=2)})
FAILS = replace(ONE, scripts={"a": Script(failures=ALWAYS)})
HANGS = replace(ONE, scripts={"a": Script(failures=ALWAYS, hangs=True)})
DIES = replace(ONE, scripts={"a": Script(deaths=2)})
QUEUED = PlannedRun(
    definition=a_definition(a_task("a", queue_timeout_s=5.0)), scripts={"a": Script(deaths=2)}
)
KILLS = replace(ONE, scripts={"a": Script(deaths=ALWAYS)})
PAIR = PlannedRun(definition=a_definition(a_task("a"), a_task("b", "a")))
BROKEN = replace(PAIR, scripts={"a": Script(failures=ALWAYS)})
ENDED = PlannedRun(
    definition=a_definition(
        a_task("a"),
        a_task("b", retries=1),
        a_task("c", "b"),
        a_task("rescue", "a", trigger=Trigger.ONE_FAILED),
        a_task("cleanup", "c", trigger=Trigger.ALL_DONE),
        on_failure=OnFailure.END,
    ),
    scripts={"a": Script(failures=ALWAYS)},
)
ABSORBED = PlannedRun(
    definition=a_definition(
        a_task("a"),
        a_task("b", "a"),
        a_task("rescue", "a", trigger=Trigger.ONE_FAILED),
        a_task("last", "b", trigger=Trigger.ONE_FAILED),
        a_task("verdict", "a", type="conditions", spec={"any": [{"task": "a", "is": "failure"}]}),
        a_task("other"),
        on_failure=OnFailure.END,
    ),
    scripts={"a": Script(failures=ALWAYS), "other": Script(failures=ALWAYS)},
)
WIRED = PlannedRun(definition=a_definition(a_task("a", disabled=True)))

RIGHT: dict[str, tuple[PlannedRun, Seen]] = {
    "success": (ONE, seen("SUCCESS", an_end("a", "SUCCESS"))),
    "retries": (TRIED, seen("SUCCESS", an_end("a", "FAILURE", "FAILURE", "SUCCESS"))),
    "a loss uses up no retry": (TRIED, seen("SUCCESS", an_end("a", "FAILURE", "LOST", "FAILURE", "SUCCESS"))),
    "all retries failed": (FAILS, seen("FAILURE", an_end("a", "FAILURE", "FAILURE", "FAILURE"))),
    "timeouts": (HANGS, seen("FAILURE", an_end("a", "FAILURE", "FAILURE", "FAILURE", reason="timeout"))),
    "two deaths": (DIES, seen("SUCCESS", an_end("a", "LOST", "LOST", "SUCCESS"))),
    "deaths and a worker's loss": (DIES, seen("SUCCESS", an_end("a", "LOST", "gone", "LOST", "SUCCESS"))),
    "a death that Redis forgot": (
        DIES,
        replace(seen("SUCCESS", an_end("a", "LOST", "SUCCESS")), forgot=True),
    ),
    "given up in the queue": (
        QUEUED,
        seen("FAILURE", an_end("a", "FAILURE", reason="queue timeout")),
    ),
    "given up in the queue behind a death": (
        replace(QUEUED, scripts={"a": Script(deaths=ALWAYS)}),
        seen(
            "FAILURE",
            an_end("a", "LOST", current=False),
            [replace(one, attempt=2, reason="queue timeout") for one in an_end("a", "FAILURE")],
        ),
    ),
    "three deaths": (KILLS, seen("FAILURE", an_end("a", "LOST", "LOST", "given up"))),
    "three deaths and a worker's loss": (
        KILLS,
        seen("FAILURE", an_end("a", "LOST", "gone", "LOST", "given up")),
    ),
    "ten losses": (ONE, seen("FAILURE", an_end("a", *["gone"] * 9, "given up, gone"))),
    "nothing runs behind a failure": (BROKEN, seen("FAILURE", an_end("a", "FAILURE"))),
    "ended by a failure": (
        ENDED,
        seen("FAILURE", an_end("a", "FAILURE"), an_end("b", "KILLED"), an_end("cleanup", "SUCCESS")),
    ),
    "ended by a failure, too late for the others": (
        ENDED,
        seen(
            "FAILURE",
            an_end("a", "FAILURE"),
            an_end("b", "SUCCESS"),
            an_end("c", "SUCCESS"),
            an_end("cleanup", "SUCCESS"),
        ),
    ),
    "an absorbed failure ends nothing and is answered, and so is what it kept from running": (
        ABSORBED,
        seen(
            "FAILURE",
            an_end("a", "FAILURE"),
            an_end("rescue", "SUCCESS"),
            an_end("last", "SUCCESS"),
            an_end("verdict", "SUCCESS"),
            an_end("other", "FAILURE"),
        ),
    ),
    "stopped before the start": (PAIR, seen("STOPPED", stop=True)),
    "stopped between two tasks": (PAIR, seen("STOPPED", an_end("a", "SUCCESS"), stop=True)),
    "stopped while running": (PAIR, seen("STOPPED", an_end("a", "KILLED"), stop=True)),
    "stopped too late": (PAIR, seen("SUCCESS", an_end("a", "SUCCESS"), an_end("b", "SUCCESS"), stop=True)),
    "no retry after a stop": (TRIED, seen("FAILURE", an_end("a", "FAILURE"), stop=True)),
    "nothing but wires": (WIRED, seen("SUCCESS")),
}

WRONG: dict[str, tuple[PlannedRun, Seen, str]] = {
    "not at an end": (ONE, seen("RUNNING", an_end("a", "SUCCESS")), "the run is RUNNING"),
    "nothing ran": (ONE, seen("SUCCESS"), "a runs and has no attempt"),
    "left active": (ONE, seen("SUCCESS", an_end("a", "DISPATCHED")), "left DISPATCHED"),
    "left lost": (ONE, seen("SUCCESS", an_end("a", "LOST")), "left LOST"),
    "a false failure": (ONE, seen("FAILURE", an_end("a", "FAILURE", "SUCCESS")), "at most 0"),
    "one retry too few": (FAILS, seen("FAILURE", an_end("a", "FAILURE", "FAILURE")), "after 2 failures"),
    "one retry too many": (
        FAILS,
        seen("FAILURE", an_end("a", "FAILURE", "FAILURE", "FAILURE", "FAILURE")),
        "at most 3",
    ),
    "success too early": (TRIED, seen("SUCCESS", an_end("a", "FAILURE", "SUCCESS")), "by its script after 2"),
    "a loss that used up a retry": (
        FAILS,
        seen("FAILURE", an_end("a", "FAILURE", "LOST", "FAILURE")),
        "after 2 failures",
    ),
    "a miscounted failure": (
        TRIED,
        seen("SUCCESS", an_end("a", "FAILURE", "FAILURE", "SUCCESS", failures=0)),
        "counts 0",
    ),
    "a failure where a timeout was due": (
        HANGS,
        seen("FAILURE", an_end("a", "FAILURE", "FAILURE", "FAILURE")),
        "hangs: True",
    ),
    "a timeout where none was due": (
        FAILS,
        seen("FAILURE", an_end("a", "FAILURE", "FAILURE", "FAILURE", reason="timeout")),
        "hangs: False",
    ),
    "a killer that succeeds": (KILLS, seen("SUCCESS", an_end("a", "LOST", "LOST", "SUCCESS")), "every child"),
    "a fourth death": (
        KILLS,
        seen("FAILURE", an_end("a", "LOST", "LOST", "LOST", "given up")),
        "was tried again, after 3 deaths",
    ),
    "given up after two": (KILLS, seen("FAILURE", an_end("a", "LOST", "given up")), "given up after 2 of 3"),
    "given up for a worker's losses after one death": (
        KILLS,
        seen("FAILURE", an_end("a", "gone", "gone", "given up")),
        "given up after 1 of 3",
    ),
    "given up after nine losses": (
        ONE,
        seen("FAILURE", an_end("a", *["gone"] * 8, "given up, gone")),
        "given up after 9 of 10",
    ),
    "an eleventh loss": (
        ONE,
        seen("SUCCESS", an_end("a", *["gone"] * 10, "SUCCESS")),
        "attempt 10 is LOST and was tried again",
    ),
    "a death without a loss": (DIES, seen("SUCCESS", an_end("a", "LOST", "SUCCESS")), "1 attempts were LOST"),
    "a gap in the numbers": (ONE, seen("SUCCESS", an_end("a", "SUCCESS", attempt=2)), "are numbered [2]"),
    "two current attempts": (
        TRIED,
        seen("SUCCESS", an_end("a", "FAILURE", "FAILURE", "SUCCESS", current=True)),
        "current are [1, 2, 3]",
    ),
    "no current attempt": (ONE, seen("SUCCESS", an_end("a", "SUCCESS", current=False)), "current are []"),
    "an attempt behind a success": (
        ONE,
        seen("SUCCESS", an_end("a", "SUCCESS", "SUCCESS")),
        "attempt 1 is SUCCESS and yet",
    ),
    "killed for nothing": (ONE, seen("FAILURE", an_end("a", "KILLED")), "left KILLED"),
    "a successor that is missing": (PAIR, seen("SUCCESS", an_end("a", "SUCCESS")), "b runs and has no"),
    "a successor of a failure": (
        BROKEN,
        seen("FAILURE", an_end("a", "FAILURE"), an_end("b", "SUCCESS")),
        "b is not run: it has attempts",
    ),
    "a state that does not fit": (BROKEN, seen("SUCCESS", an_end("a", "FAILURE")), "SUCCESS, not FAILURE"),
    "stopped by nobody": (PAIR, seen("STOPPED", an_end("a", "SUCCESS")), "b runs and has no"),
    "killed, and yet not stopped": (
        PAIR,
        seen("FAILURE", an_end("a", "KILLED"), stop=True),
        "FAILURE, not STOPPED",
    ),
    "stopped, and yet complete": (
        PAIR,
        seen("STOPPED", an_end("a", "SUCCESS"), an_end("b", "SUCCESS"), stop=True),
        "STOPPED, not SUCCESS",
    ),
    "lost after a stop": (PAIR, seen("STOPPED", an_end("a", "LOST"), stop=True), "left LOST"),
    "ended without a clean-up": (
        ENDED,
        seen("FAILURE", an_end("a", "FAILURE"), an_end("b", "KILLED")),
        "cleanup runs and has no attempt",
    ),
    "something new after the failure": (
        ENDED,
        seen(
            "FAILURE",
            an_end("a", "FAILURE"),
            an_end("b", "KILLED"),
            an_end("rescue", "SUCCESS"),
            an_end("cleanup", "SUCCESS"),
        ),
        "rescue runs: it has attempts",
    ),
    "something new behind what was killed, although its failure would have been absorbed": (
        ABSORBED,
        seen(
            "FAILURE",
            an_end("a", "KILLED"),
            an_end("rescue", "SUCCESS"),
            an_end("verdict", "SUCCESS"),
            an_end("other", "FAILURE"),
        ),
        "rescue runs: it has attempts",
    ),
    "ended by no failure": (
        replace(ENDED, scripts={}),
        seen(
            "FAILURE",
            an_end("a", "SUCCESS"),
            an_end("b", "KILLED"),
            an_end("rescue", "SKIPPED"),
            an_end("cleanup", "SUCCESS"),
        ),
        "none had failed for good",
    ),
    "a wire that ran": (WIRED, seen("SUCCESS", an_end("a", "SUCCESS")), "a has attempts and is disabled"),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_end_is_not_blamed(name: str) -> None:
    """What the semantics allow is no violation."""
    run, end = RIGHT[name]

    assert judge(run, end) == []


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_end_is_named(name: str) -> None:
    """What the semantics forbid is told in one line that says what it is."""
    run, end, words = WRONG[name]

    found = judge(run, end)

    assert any(words in line for line in found), found
    assert all(line.startswith("O1: ") and "\n" not in line for line in found)
