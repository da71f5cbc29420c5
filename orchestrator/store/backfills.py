"""Owns backfills: which of their runs may start next, and when one is over; each step is under the fence."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, RowMapping, and_, func, or_, select, update

from orchestrator.core.changes import Leases
from orchestrator.core.status import WorkflowState
from orchestrator.crash import crash_point
from orchestrator.errors import LeaseLost
from orchestrator.store.among import among
from orchestrator.store.backfill_parts import (
    IS_ASKED,
    Part,
    call_off,
    ids_of,
    let_go,
    open_parts,
    part,
    run,
    set_parts,
    slots_of_runs,
)
from orchestrator.store.commit import fence
from orchestrator.store.new_backfills import Backfilled, BackfillRequest, insert_backfill
from orchestrator.store.schema import UNFINISHED, backfill, backfill_run, workflow_instance
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
            return insert_backfill(connection, request)

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
    return Advanced(slots=slots_of_runs(chosen), started=ids_of(chosen))


def _stop(
    connection: Connection, backfill_id: int, held: Sequence[Part], now: datetime, reason: str
) -> Advanced:
    """Give up what has not had its turn."""
    set_parts(connection, backfill_id, held, done=True)
    call_off(connection, held)
    _end(connection, backfill_id, now, reason)
    return Advanced(slots=slots_of_runs(held), stopped=ids_of(held))


def _end(connection: Connection, backfill_id: int, now: datetime, reason: str | None) -> None:
    statement = update(backfill).where(backfill.c.id == backfill_id)
    connection.execute(statement.values(ended_at=now, reason=reason))


def _locked(connection: Connection, backfill_id: int) -> RowMapping | None:
    statement = select(backfill).where(backfill.c.id == backfill_id).with_for_update()
    return connection.execute(statement).mappings().one_or_none()
