"""Owns the stored schedules: who is due, their pauses, and their fires, each in one fenced transaction."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, select, true, update

from orchestrator.core.changes import Leases
from orchestrator.core.schedule import Decision, Misfire, Schedule
from orchestrator.crash import crash_point
from orchestrator.errors import LeaseLost, NotFound
from orchestrator.store.among import among
from orchestrator.store.clock import Now, database_now
from orchestrator.store.commit import fence
from orchestrator.store.new_runs import SubmitRequest, insert_runs, send_starts
from orchestrator.store.schedule_rows import SAID
from orchestrator.store.schema import schedule, workflow_definition
from orchestrator.store.session import reading, writing

AT_ONCE = 100

columns = schedule.c


_WAITING = (
    select(columns.id, columns.slot, columns.next_at)
    .where(columns.next_at.is_not(None), ~columns.paused, among(columns.slot, "slots"))
    .order_by(columns.next_at)
    .limit(AT_ONCE + 1)
    .subquery("waiting")
)
_CLOCK = select(Now().label("now")).subquery("clock")
LOOK = (
    select(_CLOCK.c.now, *_WAITING.c)
    .select_from(_CLOCK.outerjoin(_WAITING, true()))
    .order_by(_WAITING.c.next_at)
)
"""The time, and what waits: at least one row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSchedule:
    """One schedule as it is stored.

    Attributes:
        online: Whether the workflow may be run; else the schedule rests.
        active_since: Since when it fires: what was planned before was missed.
        handled_until: Up to here nothing is left to decide.
        next_at: When a master looks at it next; `None`: not before somebody changes something.
    """

    id: int
    slot: int
    workflow: str
    said: Schedule
    paused: bool
    online: bool
    active_since: datetime
    handled_until: datetime
    next_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is to be done about schedules.

    Attributes:
        now: The database's time.
        due: Ids of schedules, with their slots, the longest overdue first.
        next_at: When the next of the others is due.
    """

    now: datetime
    due: tuple[tuple[int, int], ...]
    next_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fired:
    """What one transaction did.

    Attributes:
        runs: Id and slot of each new run.
        now: The database's time in that transaction.
    """

    runs: tuple[tuple[int, int], ...]
    now: datetime


class Schedules:
    """Reads schedules, pauses them, and has them fire.

    Args:
        engine: Of any role; to fire, of the role `master`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def list(self, workflow: str | None = None) -> list[StoredSchedule]:
        """Return all schedules, or those of one workflow, by id.

        Raises:
            StoreUnavailable: The database is away.
        """
        with reading(self._engine) as connection:
            online = set(
                connection.execute(
                    select(workflow_definition.c.name).where(workflow_definition.c.online).distinct()
                ).scalars()
            )
            statement = select(schedule).order_by(columns.id)
            if workflow is not None:
                statement = statement.where(columns.workflow == workflow)
            rows = connection.execute(statement).mappings().all()
        return [_stored(row, online=row["workflow"] in online) for row in rows]

    def get(self, schedule_id: int) -> StoredSchedule:
        """Return one schedule.

        Raises:
            NotFound: There is none of this id.
            StoreUnavailable: The database is away.
        """
        for one in self.list():
            if one.id == schedule_id:
                return one
        raise _unknown(schedule_id)

    def set_paused(self, schedule_id: int, *, paused: bool) -> bool:
        """Pause or resume a schedule; return whether that changed anything.

        What is planned meanwhile counts as missed when it is resumed.

        Raises:
            NotFound: There is none of this id.
            StoreUnavailable: The database is away.
        """
        with writing(self._engine) as connection:
            row = _locked(connection, schedule_id)
            if row is None:
                raise _unknown(schedule_id)
            if row["paused"] == paused:
                return False
            now = database_now(connection)
            values: dict[str, Any] = {"paused": paused}
            if not paused:
                looks = _definition(connection, row["workflow"]) is not None
                values.update(active_since=now, next_at=now if looks else None)
            connection.execute(update(schedule).where(columns.id == schedule_id).values(values))
        return True

    def look(self, slots: Collection[int]) -> Look:
        """Return which schedules of these slots are due.

        Raises:
            StoreUnavailable: The database is away.
        """
        with reading(self._engine) as connection:
            found = connection.execute(LOOK, {"slots": sorted(slots)}).all()
        now: datetime = found[0].now
        rows = [row for row in found if row.id is not None]
        due = tuple((row.id, row.slot) for row in rows if row.next_at <= now)
        return Look(now=now, due=due, next_at=next((row.next_at for row in rows if row.next_at > now), None))

    def fire(
        self,
        schedule_id: int,
        leases: Leases,
        choose: Callable[[StoredSchedule, datetime], Decision],
    ) -> Fired:
        """Start what is due of one schedule and note so, in one transaction under the fence.

        Args:
            schedule_id: A schedule that was due a moment ago.
            leases: The slots that the caller speaks for.
            choose: Says what is to be started, given the schedule and the database's time.

        Raises:
            LeaseLost: Its slot belongs to another master; nothing was written.
            StoreUnavailable: The database is away; nothing was written.
            CommitInDoubt: The reply of the COMMIT was lost; the next look shows what became of it.
        """
        with writing(self._engine) as connection:
            now = fence(connection, leases)
            row = _locked(connection, schedule_id)
            if row is None or row["paused"] or row["next_at"] is None or row["next_at"] > now:
                return Fired(runs=(), now=now)  # somebody was quicker
            if row["slot"] not in leases.epochs:
                raise LeaseLost([row["slot"]])
            fired = _fire(connection, row, choose, now)
            crash_point("schedule.after_flush")
        crash_point("schedule.after_commit")
        return fired


def _fire(
    connection: Connection,
    row: RowMapping,
    choose: Callable[[StoredSchedule, datetime], Decision],
    now: datetime,
) -> Fired:
    definition = _definition(connection, row["workflow"])
    if definition is None:
        connection.execute(update(schedule).where(columns.id == row["id"]).values(next_at=None))
        return Fired(runs=(), now=now)
    decision = choose(_stored(row, online=True), now)
    crash_point("schedule.before_flush")
    requests = [
        SubmitRequest(
            definition_id=definition["id"],
            planned_time=fire.planned_time,
            interval_start=fire.interval_start,
            idempotency_key=f"schedule:{row['id']}:{fire.planned_time.isoformat()}",
        )
        for fire in decision.fires
    ]
    heads = insert_runs(connection, definition, requests) if requests else []
    send_starts(connection, heads)
    values: dict[str, Any] = {"handled_until": decision.handled_until, "next_at": decision.next_at}
    if decision.fires:
        values["last_planned_at"] = decision.fires[-1].planned_time
    connection.execute(update(schedule).where(columns.id == row["id"]).values(values))
    return Fired(runs=tuple((head.id, head.slot) for head in heads), now=now)


def _locked(connection: Connection, schedule_id: int) -> RowMapping | None:
    statement = select(schedule).where(columns.id == schedule_id).with_for_update()
    return connection.execute(statement).mappings().one_or_none()


def _definition(connection: Connection, name: str) -> RowMapping | None:
    """Return the version that runs now, `None` while the workflow is offline."""
    statement = (
        select(workflow_definition)
        .where(workflow_definition.c.name == name)
        .order_by(workflow_definition.c.version.desc())
        .limit(1)
    )
    row = connection.execute(statement).mappings().one_or_none()
    return row if row is not None and row["online"] else None


def _stored(row: RowMapping, *, online: bool) -> StoredSchedule:
    said = {**{name: row[name] for name in SAID}, "misfire": Misfire(row["misfire"])}
    kept = ("id", "slot", "workflow", "paused", "active_since", "handled_until", "next_at")
    return StoredSchedule(**{name: row[name] for name in kept}, said=Schedule(**said), online=online)


def _unknown(schedule_id: int) -> NotFound:
    return NotFound(f"there is no schedule {schedule_id}; see orchestrator schedules list")
