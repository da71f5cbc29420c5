"""Owns what the ledger and the rows must say about each other: what ran how often, over what, and who was lost."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from sqlalchemy import select

from orchestrator.core.status import TASK_FINAL
from orchestrator.store import schema
from orchestrator.store.session import reading
from tests.simulation.ledger import AttemptKey, Execution
from tests.simulation.oracle_cache import is_kept
from tests.simulation.plan import FORGETFUL
from tests.simulation.tasks import LONG_AWAY_S
from tests.simulation.world import World

ENDED = frozenset({"success", "failure", "killed"})
"""How an execution ends that nothing cut off."""

RESTARTED = "its worker was restarted"
SILENT = "its worker is silent"

NEAR_S = 0.25

ENDS_WITHIN_S = 20.0
"""A zombie hears by a heartbeat or a re-sent report that it is over (13 s); then it has 5 s to end, and some."""


def execution_faults(world: World) -> Iterator[str]:
    """Yield what executions and rows say against each other (O1, O3, O4)."""
    with reading(world.engine) as connection:
        rows = connection.execute(select(schema.task_instance)).mappings().all()
    by_attempt: dict[AttemptKey, list[Execution]] = defaultdict(list)
    for one in world.ledger.executions:
        by_attempt[one.key].append(one)
    forgot = bool(FORGETFUL.intersection(world.ledger.faults))
    clock_jumped = "database_clock_jumps" in world.ledger.faults
    for row in rows:
        key = (row["workflow_instance_id"], row["task"], row["attempt"])
        if row["state"] not in TASK_FINAL:
            yield f"O1: {key} is left {row['state']}"
        elif is_kept(row):
            yield from _needless(key, by_attempt[key])
        elif row["state"] == "SUCCESS" and row["type"] == "noop":
            ended_s = None if clock_jumped else world.schedule.seconds_at(row["ended_at"])
            yield from _success_faults(key, by_attempt[key], ended_s)
        elif row["state"] == "LOST":
            yield from _loss_faults(key, by_attempt[key], row["reason"])
    for key, executions in by_attempt.items():
        yield from _repeats(key, executions, forgot=forgot)
    yield from _overlaps(world)


def _needless(key: AttemptKey, executions: Sequence[Execution]) -> Iterator[str]:
    """What took its outputs from the cache was executed by nobody who could be heard."""
    for one in executions:
        if not (one.zombie or one.unheard or one.spooled):
            yield f"O3: {key} took its outputs from the cache, and ran as {one.order_id} ({one.how})"


def _success_faults(key: AttemptKey, executions: Sequence[Execution], ended_s: float | None) -> Iterator[str]:
    """What is SUCCESS came to its end before that, once; beside it at most some that nobody could hear of."""
    successes = [one for one in executions if one.how == "success"]
    heard = [one for one in successes if not (one.zombie or one.unheard or one.spooled)]
    if not successes or len(heard) > 1:
        yield f"O3: {key} is SUCCESS and came to its end {len(successes)} times"
    elif ended_s is not None and ended_s < min(one.ended_s or 0.0 for one in successes) - NEAR_S:
        yield f"O3: {key} is SUCCESS before it came to its end"


def _loss_faults(key: AttemptKey, executions: Sequence[Execution], reason: str) -> Iterator[str]:
    """Nobody is called lost who came to his end: an outage of Redis or the database is nobody's death.

    What lay in a spool comes before ONLINE, and was away too long only if its worker was.
    """
    if executions and all(one.how in ENDED and not _was_unheard_of(one, reason) for one in executions):
        yield f"O3: {key} is LOST ({reason}) and came to its end: {executions[-1].how}"


def _was_unheard_of(execution: Execution, reason: str) -> bool:
    if execution.zombie or execution.unheard:
        return True
    return reason == SILENT and execution.away_s >= LONG_AWAY_S


def _repeats(key: AttemptKey, executions: Sequence[Execution], *, forgot: bool) -> Iterator[str]:
    """An attempt runs again after a deferral alone, unless Redis forgot who had claimed it."""
    for earlier, later in pairwise(executions):
        unknown = (
            earlier.zombie or later.zombie or earlier.how == "died" or earlier.unheard or earlier.spooled
        )
        if earlier.how != "deferral" and not (forgot and unknown):
            yield f"O3: {key} ran as {earlier.order_id} ({earlier.how}) and again as {later.order_id}"


def _overlaps(world: World) -> Iterator[str]:
    """No two executions of a task overlap, but that a zombie has a while to hear that it is over (O4)."""
    by_task: Mapping[Any, list[Execution]] = defaultdict(list)
    for one in world.ledger.executions:
        by_task[one.key[:2]].append(one)
    for task, executions in by_task.items():
        for number, earlier in enumerate(executions):
            for later in executions[number + 1 :]:
                if later.began_s < _over_s(earlier) and not _is_excused(earlier, later, world):
                    yield f"O4: {task}: {earlier.order_id} and {later.order_id} overlap"


def _is_excused(earlier: Execution, later: Execution, world: World) -> bool:
    """Whether the one that is over may have gone on: it is a zombie that has not had the time to hear so.

    It may have begun after the one that replaced it: claimed before, and then nobody heard of it.
    """
    over = min(earlier, later, key=_number)
    told_s = max(over.apart_until_s, later.began_s, world.ledger.calm_from_s)
    ended_s = min(_over_s(over), world.schedule.now_s)
    return over.zombie and ended_s <= told_s + ENDS_WITHIN_S


def _over_s(execution: Execution) -> float:
    return float("inf") if execution.ended_s is None else execution.ended_s


def _number(execution: Execution) -> tuple[int, int]:
    """Return attempt and dispatch."""
    return execution.key[2], int(execution.order_id.rpartition(":")[2])
