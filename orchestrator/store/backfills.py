"""Owns backfills: the runs that one made, and which of them may start next; each step is under the fence."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, and_, func, insert, or_, select, update

from orchestrator.core.changes import Leases
from orchestrator.core.schedule import Fire
from orchestrator.core.status import WORKFLOW_FINAL, WorkflowState
from orchestrator.crash import crash_point
from orchestrator.errors import Conflict, LeaseLost
from orchestrator.store.among import among
from orchestrator.store.backfill_parts import (
    IS_ASKED,
    Part,
    call_off,
    insert_parts,
    let_go,
    open_parts,
    part,
    run,
    set_parts,
)
from orchestrator.store.clock import database_now
from orchestrator.store.commit import fence
from orchestrator.store.definitions import hold_name
from orchestrator.store.new_runs import SubmitRequest, insert_runs, next_ids, slots_of
from orchestrator.store.schema import (
    UNFINISHED,
    backfill,
    backfill_run,
    workflow_definition,
    workflow_instance,
)
from orchestrator.store.session import reading, writing
from orchestrator.store.storable import check_storable

FAILED = frozenset({WorkflowState.FAILURE, WorkflowState.STOPPED})

_GOING_ON = (part.backfill_id == backfill.c.id) & part.released_at.is_not(None) & ~part.done
_BEGINS_AGAIN = (part.rerun_of == run.run_count) & IS_ASKED
_ALIVE = and_(run.id == part.workflow_instance_id, or_(UNFINISHED, _BEGINS_AGAIN))
LOOK = (
    select(backfill.c.id, backfill.c.slot, func.count(part.position), func.count(run.id))
    .select_from(backfill.outerjoin(backfill_run, _GOING_ON).outerjoin(workflow_instance, _ALIVE))
    .where(backfill.c.ended_at.is_(None), among(backfill.c.slot, "slots"))
    .group_by(backfill.c.id, backfill.c.slot)
    .order_by(backfill.c.id)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillRequest:
    """What is to be filled.

    Attributes:
        definition_id: The version to run.
        fires: One run each, in the order in which they start.
        first: The first planned time of the range.
        last: The last one.
        cron: Where the planned times come from.
        max_parallel: So many at a time; 1: the first failure ends it; `None`: all at once.
        params: Start parameters, typed and checked.
        reruns: Planned times that have a run are run again, if it has ended; else they are skipped.
    """

    definition_id: int
    fires: tuple[Fire, ...]
    first: datetime
    last: datetime
    cron: str
    timezone: str
    max_parallel: int | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    reruns: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfilled:
    """The answer to a request.

    Attributes:
        runs: Ids of the runs, in the order in which they start.
        again: Those of them that were there before, and run again.
        skipped: Planned times that have a run already, and are left alone.
        slots: Whose masters are to be woken.
    """

    id: int
    runs: tuple[int, ...]
    again: tuple[int, ...] = ()
    skipped: tuple[datetime, ...]
    slots: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    """Backfills that have runs left to start.

    Attributes:
        due: Id and slot of those in which something ended.
        waiting: How many others there are.
    """

    due: tuple[tuple[int, int], ...]
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Advanced:
    """What one step of a backfill did.

    Attributes:
        slots: Whose masters are to be woken.
        started: Ids of the runs that may start now.
        stopped: Ids of the runs that will not start any more.
    """

    slots: frozenset[int] = frozenset()
    started: tuple[int, ...] = ()
    stopped: tuple[int, ...] = ()


class Backfills:
    """Makes backfills and carries them on.

    Args:
        engine: Of any role; to advance, of the role `master`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(self, request: BackfillRequest) -> Backfilled:
        """Insert the backfill with all its runs, and what lets those begin that may do so at once.

        A planned time that has a run of this workflow already is skipped, or its last run is run again; a dry
        run, a child, and one that was stopped before it started do not count.

        Raises:
            Conflict: The definition is offline, or gone.
            UserError: A text in the parameters cannot be stored.
            StoreUnavailable: The database is away; nothing was made.
        """
        check_storable(request.params, "start parameters")
        with writing(self._engine) as connection:
            definition = _online(connection, request.definition_id)
            hold_name(connection, definition["name"])
            there = _last_runs(connection, definition["name"], request)
            again = {at: one for at, one in there.items() if request.reruns and one.state in WORKFLOW_FINAL}
            skipped = tuple(
                one.planned_time for one in request.fires if one.planned_time in there.keys() - again
            )
            (number,) = next_ids(connection, backfill, 1)
            made = _make(connection, definition, number, request, there)
            parts = [found for one in request.fires if (found := {**made, **again}.get(one.planned_time))]
            at_once = parts[: request.max_parallel] if request.max_parallel else parts
            _insert(connection, number, definition["name"], request, parts, len(at_once))
            let_go(connection, at_once, request.params)
        return Backfilled(
            id=number,
            runs=_numbers(parts),
            again=tuple(one.number for one in parts if one.rerun_of is not None),
            skipped=skipped,
            slots=_slots(at_once),
        )

    def look(self, slots: Collection[int]) -> Unfinished:
        """Return the backfills of these slots that have runs left to start.

        Raises:
            StoreUnavailable: The database is away.
        """
        with reading(self._engine) as connection:
            rows = connection.execute(LOOK, {"slots": sorted(slots)}).all()
        due = tuple((number, slot) for number, slot, released, living in rows if living < max(released, 1))
        return Unfinished(due=due, waiting=len(rows) - len(due))

    def advance(self, backfill_id: int, leases: Leases) -> Advanced:
        """Start what may start now, or stop the rest after a failure, as the rows say, under the fence.

        Raises:
            LeaseLost: Its slot belongs to another master; nothing was written.
            StoreUnavailable: The database is away; nothing was written.
            CommitInDoubt: The reply of the COMMIT was lost; the next look shows what became of it.
        """
        with writing(self._engine) as connection:
            now = fence(connection, leases)
            row = _locked(connection, backfill_id)
            if row is None or row["ended_at"] is not None:
                return Advanced()  # somebody was quicker
            if row["slot"] not in leases.epochs:
                raise LeaseLost([row["slot"]])
            advanced = _advance(connection, row, now)
            crash_point("backfill.after_flush")
        crash_point("backfill.after_commit")
        return advanced


def _advance(connection: Connection, row: RowMapping, now: datetime) -> Advanced:
    parts = open_parts(connection, row["id"])
    over = [one for one in parts if one.is_over]
    held = [one for one in parts if one.is_held]
    failed = [one for one in over if one.is_released and one.state in FAILED]
    set_parts(connection, row["id"], over, done=True)
    if row["max_parallel"] == 1 and failed:
        return _stop(connection, row["id"], held, now, f"run {failed[0].number} ended {failed[0].state}")
    room = max((row["max_parallel"] or len(held)) - (len(parts) - len(over) - len(held)), 0)
    chosen = held[:room]
    set_parts(connection, row["id"], chosen, released_at=now)
    let_go(connection, chosen, row["params"] or {})
    if len(chosen) == len(held):
        _end(connection, row["id"], now, None)
    return Advanced(slots=_slots(chosen), started=_numbers(chosen))


def _stop(
    connection: Connection, backfill_id: int, held: Sequence[Part], now: datetime, reason: str
) -> Advanced:
    """Give up what has not had its turn."""
    set_parts(connection, backfill_id, held, done=True)
    call_off(connection, held)
    _end(connection, backfill_id, now, reason)
    return Advanced(slots=_slots(held), stopped=_numbers(held))


def _end(connection: Connection, backfill_id: int, now: datetime, reason: str | None) -> None:
    statement = update(backfill).where(backfill.c.id == backfill_id)
    connection.execute(statement.values(ended_at=now, reason=reason))


def _numbers(parts: Sequence[Part]) -> tuple[int, ...]:
    return tuple(one.number for one in parts)


def _slots(parts: Sequence[Part]) -> frozenset[int]:
    return frozenset(one.slot for one in parts)


def _online(connection: Connection, definition_id: int) -> RowMapping:
    statement = select(workflow_definition).where(workflow_definition.c.id == definition_id)
    row = connection.execute(statement).mappings().one_or_none()
    if row is None:
        raise Conflict("the workflow definition has just been deleted")
    if not row["online"]:
        raise Conflict(f"workflow definition '{row['name']}' is offline; put it online first")
    return row


def _last_runs(connection: Connection, workflow: str, request: BackfillRequest) -> dict[datetime, Part]:
    """Return the last run of this workflow for each planned time of the range that has one."""
    never_ran = (run.state == WorkflowState.STOPPED.value) & run.started_at.is_(None)
    statement = select(run.planned_time, run.id, run.slot, run.state, run.run_count).where(
        run.workflow == workflow,
        run.planned_time.between(request.first, request.last),
        run.parent_id.is_(None),
        ~run.dry_run,
        ~never_ran,
    )
    return {
        row.planned_time: Part(
            planned_time=row.planned_time,
            number=row.id,
            slot=row.slot,
            state=WorkflowState(row.state),
            rerun_of=row.run_count,
            run_count=row.run_count,
        )
        for row in connection.execute(statement.order_by(run.id))
    }


def _make(
    connection: Connection,
    definition: RowMapping,
    number: int,
    request: BackfillRequest,
    there: Collection[datetime],
) -> dict[datetime, Part]:
    """Insert the runs of the planned times that have none."""
    fires = [fire for fire in request.fires if fire.planned_time not in there]
    heads = insert_runs(connection, definition, _requests(number, request, fires)) if fires else []
    return {
        one.planned_time: Part(planned_time=one.planned_time, number=one.id, slot=one.slot) for one in heads
    }


def _requests(number: int, request: BackfillRequest, fires: Sequence[Fire]) -> list[SubmitRequest]:
    return [
        SubmitRequest(
            definition_id=request.definition_id,
            params=request.params,
            planned_time=fire.planned_time,
            interval_start=fire.interval_start,
            idempotency_key=f"backfill:{number}:{fire.planned_time.isoformat()}",
        )
        for fire in fires
    ]


def _insert(
    connection: Connection,
    number: int,
    workflow: str,
    request: BackfillRequest,
    parts: Sequence[Part],
    released: int,
) -> None:
    now = database_now(connection)
    values = {
        "id": number,
        "slot": number % slots_of(connection),
        "workflow": workflow,
        "cron": request.cron,
        "timezone": request.timezone,
        "first_at": request.first,
        "last_at": request.last,
        "max_parallel": request.max_parallel,
        "params": dict(request.params),
        "created_at": now,
        "ended_at": now if released == len(parts) else None,
    }
    connection.execute(insert(backfill).values(values))
    insert_parts(connection, number, parts, released, now)


def _locked(connection: Connection, backfill_id: int) -> RowMapping | None:
    statement = select(backfill).where(backfill.c.id == backfill_id).with_for_update()
    return connection.execute(statement).mappings().one_or_none()
