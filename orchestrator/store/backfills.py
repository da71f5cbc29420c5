"""Owns backfills: the runs that one made, and which of them may start next; each step is under the fence."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, and_, func, insert, select, update

from orchestrator.core.changes import Leases
from orchestrator.core.command import CommandKind
from orchestrator.core.instance import Head
from orchestrator.core.schedule import Fire
from orchestrator.core.status import WORKFLOW_FINAL, WorkflowState
from orchestrator.crash import crash_point
from orchestrator.errors import Conflict, LeaseLost
from orchestrator.store.among import among
from orchestrator.store.clock import database_now
from orchestrator.store.commit import fence
from orchestrator.store.definitions import hold_name
from orchestrator.store.new_runs import (
    SubmitRequest,
    insert_runs,
    next_ids,
    send_commands,
    send_starts,
    slots_of,
)
from orchestrator.store.schema import (
    UNFINISHED,
    backfill,
    backfill_run,
    workflow_definition,
    workflow_instance,
)
from orchestrator.store.session import reading, writing
from orchestrator.store.storable import check_storable

ROWS_AT_ONCE = 1000
FINAL = sorted(state.value for state in WORKFLOW_FINAL)
FAILED = frozenset({WorkflowState.FAILURE, WorkflowState.STOPPED})

run = workflow_instance.c
part = backfill_run.c

_GOING_ON = (part.backfill_id == backfill.c.id) & part.released_at.is_not(None) & ~part.done
_ALIVE = and_(run.id == part.workflow_instance_id, UNFINISHED)
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
    """

    definition_id: int
    fires: tuple[Fire, ...]
    first: datetime
    last: datetime
    cron: str
    timezone: str
    max_parallel: int | None = None
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfilled:
    """The answer to a request.

    Attributes:
        runs: Ids of the new runs, in the order in which they start.
        skipped: Planned times that have a run already.
        slots: Whose masters are to be woken.
    """

    id: int
    runs: tuple[int, ...]
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
        """Insert the backfill with all its runs, and the STARTs of those that may start at once.

        A planned time that has a run of this workflow already is skipped; a dry run, a child, and one that was
        stopped before it started do not count.

        Raises:
            Conflict: The definition is offline, or gone.
            UserError: A text in the parameters cannot be stored.
            StoreUnavailable: The database is away; nothing was made.
        """
        check_storable(request.params, "start parameters")
        with writing(self._engine) as connection:
            definition = _online(connection, request.definition_id)
            hold_name(connection, definition["name"])
            taken = _taken(connection, definition["name"], request)
            fires = [fire for fire in request.fires if fire.planned_time not in taken]
            (number,) = next_ids(connection, backfill, 1)
            heads = insert_runs(connection, definition, _requests(number, request, fires)) if fires else []
            at_once = heads[: request.max_parallel] if request.max_parallel else heads
            _insert(connection, number, definition["name"], request, heads, len(at_once))
            send_starts(connection, at_once)
        return Backfilled(
            id=number,
            runs=tuple(head.id for head in heads),
            skipped=tuple(fire.planned_time for fire in request.fires if fire.planned_time in taken),
            slots=frozenset(head.slot for head in at_once),
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
    parts = _parts(connection, row["id"])
    over = [one for one in parts if _is_over(one)]
    held = [one for one in parts if _is_held(one)]
    failed = [one for one in over if one["released_at"] is not None and one["state"] in FAILED]
    _set(connection, row["id"], over, done=True)
    if row["max_parallel"] == 1 and failed:
        reason = f"run {failed[0]['workflow_instance_id']} ended {failed[0]['state']}"
        return _stop(connection, row["id"], held, now, reason)
    room = max((row["max_parallel"] or len(held)) - (len(parts) - len(over) - len(held)), 0)
    chosen = held[:room]
    _set(connection, row["id"], chosen, released_at=now)
    send_commands(connection, _runs(chosen), CommandKind.START)
    if len(chosen) == len(held):
        _end(connection, row["id"], now, None)
    return Advanced(slots=_slots(chosen), started=_numbers(chosen))


def _is_over(one: RowMapping) -> bool:
    return one["state"] is None or one["state"] in FINAL  # it may have been deleted


def _is_held(one: RowMapping) -> bool:
    """Whether a run waits for its turn; who pauses and resumes one starts it by hand."""
    return not _is_over(one) and one["released_at"] is None and one["started_at"] is None


def _stop(
    connection: Connection, backfill_id: int, held: Sequence[RowMapping], now: datetime, reason: str
) -> Advanced:
    """Have every run stopped that has not started: whoever waits for it hears so."""
    _set(connection, backfill_id, held, done=True)
    send_commands(connection, _runs(held), CommandKind.STOP)
    _end(connection, backfill_id, now, reason)
    return Advanced(slots=_slots(held), stopped=_numbers(held))


def _end(connection: Connection, backfill_id: int, now: datetime, reason: str | None) -> None:
    statement = update(backfill).where(backfill.c.id == backfill_id)
    connection.execute(statement.values(ended_at=now, reason=reason))


def _parts(connection: Connection, backfill_id: int) -> Sequence[RowMapping]:
    """Return the runs that are not known to be over, in the order in which they start."""
    statement = (
        select(
            part.position,
            part.workflow_instance_id,
            part.released_at,
            run.slot,
            run.state,
            run.started_at,
        )
        .select_from(backfill_run.outerjoin(workflow_instance, run.id == part.workflow_instance_id))
        .where(part.backfill_id == backfill_id, ~part.done)
        .order_by(part.position)
    )
    return connection.execute(statement).mappings().all()


def _set(connection: Connection, backfill_id: int, parts: Sequence[RowMapping], **values: object) -> None:
    positions = [one["position"] for one in parts]
    for start in range(0, len(positions), ROWS_AT_ONCE):
        chosen = part.position.in_(positions[start : start + ROWS_AT_ONCE])
        statement = update(backfill_run).where(part.backfill_id == backfill_id, chosen)
        connection.execute(statement.values(values))


def _runs(parts: Sequence[RowMapping]) -> list[tuple[int, int]]:
    return [(one["workflow_instance_id"], one["slot"]) for one in parts]


def _numbers(parts: Sequence[RowMapping]) -> tuple[int, ...]:
    return tuple(one["workflow_instance_id"] for one in parts)


def _slots(parts: Sequence[RowMapping]) -> frozenset[int]:
    return frozenset(one["slot"] for one in parts)


def _online(connection: Connection, definition_id: int) -> RowMapping:
    statement = select(workflow_definition).where(workflow_definition.c.id == definition_id)
    row = connection.execute(statement).mappings().one_or_none()
    if row is None:
        raise Conflict("the workflow definition has just been deleted")
    if not row["online"]:
        raise Conflict(f"workflow definition '{row['name']}' is offline; put it online first")
    return row


def _taken(connection: Connection, workflow: str, request: BackfillRequest) -> set[datetime]:
    """Return the planned times of the range that have a run of this workflow."""
    never_ran = (run.state == WorkflowState.STOPPED.value) & run.started_at.is_(None)
    statement = select(run.planned_time).where(
        run.workflow == workflow,
        run.planned_time.between(request.first, request.last),
        run.parent_id.is_(None),
        ~run.dry_run,
        ~never_ran,
    )
    return set(connection.execute(statement).scalars())


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
    heads: Sequence[Head],
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
        "created_at": now,
        "ended_at": now if released == len(heads) else None,
    }
    connection.execute(insert(backfill).values(values))
    rows = [
        {
            "backfill_id": number,
            "position": position,
            "planned_time": head.planned_time,
            "workflow_instance_id": head.id,
            "released_at": now if position < released else None,
            "done": False,
        }
        for position, head in enumerate(heads)
    ]
    if rows:
        connection.execute(insert(backfill_run), rows)


def _locked(connection: Connection, backfill_id: int) -> RowMapping | None:
    statement = select(backfill).where(backfill.c.id == backfill_id).with_for_update()
    return connection.execute(statement).mappings().one_or_none()
