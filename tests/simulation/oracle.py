"""Owns the oracle: what must hold when a simulation is over, and what must hold at any moment of it."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from traceback import extract_tb
from typing import Any

from sqlalchemy import select

from orchestrator.core.command import CommandKind
from orchestrator.core.definition import OnFailure
from orchestrator.core.status import WORKFLOW_FINAL
from orchestrator.master.lanes import Lanes
from orchestrator.store import schema
from orchestrator.store.instances import Instances
from orchestrator.store.session import reading
from tests.simulation.celery_broker import QUEUES, UNACKED
from tests.simulation.model import FORCED, Seen, SeenAttempt, judge
from tests.simulation.oracle_approvals import approval_faults
from tests.simulation.oracle_cache import cache_faults, is_kept
from tests.simulation.oracle_checks import check_faults
from tests.simulation.oracle_children import child_faults
from tests.simulation.oracle_dependents import dependent_faults
from tests.simulation.oracle_executions import execution_faults
from tests.simulation.oracle_pools import pool_faults, pools_left
from tests.simulation.oracle_queues import queue_faults
from tests.simulation.oracle_recover import kept_faults
from tests.simulation.oracle_timeouts import Timeouts
from tests.simulation.oracle_times import early_begins
from tests.simulation.oracle_turns import may_be_stopped, turn_faults
from tests.simulation.oracle_words import word_faults
from tests.simulation.plan import FORGETFUL
from tests.simulation.world import World

UNFINISHED = "SELECT count(*) FROM workflow_instance WHERE state NOT IN ('SUCCESS', 'FAILURE', 'STOPPED')"


def is_over(world: World) -> bool:
    """Return whether every run has ended and nothing is left on its way."""
    if (
        len(world.runs) < len(world.plan.runs)
        or world.again_left
        or world.touches.left
        or world.database.number(UNFINISHED)
    ):
        return False
    return not any(_left_over(world))


def violations(world: World) -> list[str]:
    """Return everything that is wrong at the end, one line each."""
    world.chronicle.look()  # at what the last commit ended
    return [
        *world.tasks.wrong,
        *(f"O6: {name} wrote about runs without owning them" for name in world.spoiler.trespassers),
        *(f"O1: command {number} was applied again" for number in world.spoiler.applied_again),
        *(
            f"ERROR: {thread.name}: {type(error).__name__}: {error} ({_place(error)})"
            for thread, error in world.schedule.errors
        ),
        *(f"O5: {line}" for line in _left_over(world)),
        *_right_ends(world),
        *execution_faults(world),
        *pool_faults(world),
        *cache_faults(world),
        *child_faults(world),
        *kept_faults(world),
        *word_faults(world),
        *approval_faults(world),
        *dependent_faults(world),
        *check_faults(world),
        *queue_faults(world),
        *early_begins(world),
        *turn_faults(world),
        *_letters(world),
        *_epochs(world),
        *_alerts(world),
    ]


def _place(error: BaseException) -> str:
    """Return the innermost lines of the product where an error was raised."""
    frames = [one for one in extract_tb(error.__traceback__) if "orchestrator/" in one.filename]
    return " < ".join(f"{Path(one.filename).name}:{one.lineno}" for one in reversed(frames[-4:]))


def fresh_lanes(world: World) -> Lanes:
    """Return what `memory_differs` loads into, time after time: it keeps definitions."""
    return Lanes(Instances(world.engine), lambda _instance: None)


def memory_differs(world: World, lanes: Lanes) -> list[str]:
    """Return where the memory of a serving master differs from the rows (O7); it must be between two turns."""
    found = []
    for master in world.masters:
        parts = master.parts
        if parts is None or master.in_turn or not master.process.alive or not _owns(world, master.name):
            continue
        numbers = [number for number in world.planned.numbers() if parts.lanes.get(number) is not None]
        lanes.clear()
        lanes.load(numbers, (), parts.context())
        for number in numbers:
            memory, fresh = parts.lanes.get(number), lanes.get(number)
            if memory is not None and (fresh is None or memory.snapshot() != fresh.snapshot()):
                found.append(f"O7: {master.name}: memory of run {number} differs from its rows")
    return found


def _owns(world: World, name: str) -> bool:
    return not world.database.number("SELECT count(*) FROM slot_lease WHERE owner IS NOT ?", name)


# --- what is left over -----------------------------------------------------------------------


def _left_over(world: World) -> Iterator[str]:
    """Say what is not finished or not cleared away, what costs least to find out first."""
    yield from _rows_left(world)
    yield from _redis_left(world)
    for worker in world.workers:
        yield from worker.left_over()


def _rows_left(world: World) -> Iterator[str]:
    for number, state in world.database.rows("SELECT id, state FROM workflow_instance ORDER BY id"):
        if state not in WORKFLOW_FINAL:
            yield f"run {number} is {state}"
    commands = world.database.number("SELECT count(*) FROM command")
    if commands:
        yield f"{commands} commands wait"
    alerts = world.database.number("SELECT count(*) FROM outbox WHERE delivered_at IS NULL")
    if alerts:
        yield f"{alerts} alerts were not told"
    yield from pools_left(world)


def _redis_left(world: World) -> Iterator[str]:
    for key, length in world.server.stream_lengths().items():
        if length and not key.endswith(b":dead"):
            yield f"{length} entries in {key.decode()}"
    if world.server.peek(UNACKED):
        yield "messages that nobody acknowledged"
    for group in sorted({group for worker in world.plan.workers for group in worker.groups}):
        if world.server.peek(QUEUES + group.encode()):
            yield f"messages in queue {group}"


# --- right ends ------------------------------------------------------------------------------


def _right_ends(world: World) -> Iterator[str]:
    with reading(world.engine) as connection:
        rows = connection.execute(select(schema.task_instance)).mappings().all()
    by_run: dict[int, list[SeenAttempt]] = defaultdict(list)
    timeouts = Timeouts(world)
    for row in rows:
        seen_row = _attempt(row, overdue=timeouts.is_earned(row))
        by_run[row["workflow_instance_id"]].append(_with_hands(world, row, seen_row))
    may_stop = _may_be_stopped(world)
    for number in world.planned.numbers():
        seen = Seen(
            state=str(world.state(number)),
            attempts=tuple(by_run[number]),
            stop_was_sent=number in may_stop,
            paused_was_sent=CommandKind.PAUSE in world.sent.get(number, []),
            disturbed=bool(world.ledger.faults),
            forgot=bool(FORGETFUL.intersection(world.ledger.faults)),
            clock_jumped="database_clock_jumps" in world.ledger.faults,
            run_count=world.run_count(number),
        )
        for line in judge(world.planned[number], seen):
            yield f"{line} (run {number})"


def _with_hands(world: World, row: Any, seen: SeenAttempt) -> SeenAttempt:
    """Return what is seen of an attempt, with how the run stood that it waited for, and what people did to it."""
    key = (row["workflow_instance_id"], row["task"], row["attempt"])
    if row["state"] == FORCED and key in world.touches.forced:
        return replace(seen, state=world.touches.forced[key], forced=True)
    taken = world.chronicle.taken.get(key)
    if taken is None:
        return seen
    return replace(
        seen,
        child_state=taken.state,
        cut_by_hand=world.touches.stopped(row["child"]),
        let_go=world.touches.let_go(row["child"]),
    )


def _may_be_stopped(world: World) -> set[int]:
    """Return the runs that people, turns, or whoever called them may have stopped."""
    stopped = {
        number
        for position, number in world.runs.items()
        if CommandKind.STOP in world.sent.get(number, []) or may_be_stopped(world, position)
    }
    for child, parent in world.planned.parents().items():
        by_hand = world.touches.stopped(child)
        if parent in stopped or by_hand or world.planned[parent].definition.on_failure is OnFailure.END:
            stopped.add(child)
    return stopped


def _attempt(row: Any, *, overdue: bool) -> SeenAttempt:
    return SeenAttempt(
        task=row["task"],
        attempt=row["attempt"],
        state=str(row["state"]),
        reason=row["reason"],
        error=None,
        failures=row["failures"],
        current=row["current"],
        created_at=row["submitted_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        overdue=overdue,
        kept=is_kept(row),
    )


def _alerts(world: World) -> Iterator[str]:
    """Each failed run has told so, once for its last run count."""
    with reading(world.engine) as connection:
        told = Counter(
            connection.execute(
                select(schema.outbox.c.key).where(
                    schema.outbox.c.kind == "workflow_failure", schema.outbox.c.delivered_at.is_not(None)
                )
            ).scalars()
        )
        failed = connection.execute(
            select(schema.workflow_instance.c.id, schema.workflow_instance.c.run_count).where(
                schema.workflow_instance.c.state == "FAILURE"
            )
        )
        for number, run_count in failed.all():
            times = told[f"workflow_failure:{number}:{run_count}:"]
            if times != 1:
                yield f"O5: the failure of run {number} was told {times} times"


def _letters(world: World) -> Iterator[str]:
    """What cannot be read is kept for a person, as it came; unless Redis forgot it."""
    if FORGETFUL.intersection(world.ledger.faults):
        return
    kept = {fields[b"p"] for _, fields in world.server.stream_entries(world.keys.dead())}
    for payload in world.weather.unreadable:
        if payload not in kept:
            yield f"O5: an event that cannot be read is no dead letter: {payload!r:.60}"


def _epochs(world: World) -> Iterator[str]:
    with reading(world.engine) as connection:
        epochs = dict(connection.execute(select(schema.slot_lease.c.slot, schema.slot_lease.c.epoch)).all())
        runs = connection.execute(
            select(
                schema.workflow_instance.c.id,
                schema.workflow_instance.c.slot,
                schema.workflow_instance.c.epoch,
            )
        ).all()
    for number, slot, epoch in runs:
        if epoch > epochs[slot]:
            yield f"O6: run {number} was written under epoch {epoch}"
