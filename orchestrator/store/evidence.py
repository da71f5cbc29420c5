"""Owns what the database knows about why a run does not go on: who coordinates it, and what was asked of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, func, select

from orchestrator.core.status import WORKFLOW_FINAL, WorkflowState
from orchestrator.store.clock import database_now
from orchestrator.store.schema import (
    UNFINISHED,
    backfill,
    backfill_run,
    command,
    error_command,
    master,
    serial_holder,
    slot_lease,
    workflow_instance,
)
from orchestrator.store.session import reading

MOST_ROWS = 100

part = backfill_run.c
run = workflow_instance.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A command that no master has carried out, or that was refused.

    Attributes:
        kind: A `CommandKind`, or what somebody wrote in its place.
        at: When it was sent; of a refused one, when it was refused.
        reason: Why it was refused.
    """

    kind: str
    at: datetime
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillPlace:
    """Where a run stands in the backfill that made it.

    Attributes:
        max_parallel: So many of its runs at a time; `None`: all at once.
        released_at: When the run was allowed to start.
        waiting: How many runs stand before it that may not start yet either.
        going_on: Ids of the runs that may start, or have started, and have not ended.
        reason: Why the backfill ended early.
    """

    id: int
    max_parallel: int | None
    created_at: datetime
    released_at: datetime | None = None
    waiting: int = 0
    going_on: tuple[int, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnPlace:
    """Where a run stands among those of its serial workflow.

    Attributes:
        holder: Who has been given the turn; it may be the run itself.
        state: The holder's state; `None`: it does not exist any more.
        since: When the holder was given the turn.
        ahead: How many wait that come before this run; of the holder, how many wait for it.
    """

    holder: int | None
    state: str | None = None
    since: datetime | None = None
    ahead: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What holds of a run at one moment.

    Attributes:
        now: The database's time.
        coordinator: Name of the master that holds the run's slot by a lease that lives.
        others: Names of the masters that live, whatever they hold.
        last_master_at: When any master was last seen.
        commands: What was asked of the run and waits for a master, in order.
        refused: What could never succeed, the newest first.
        backfill: The run's place in its backfill, if one made it.
        turn: Its place among the runs of its serial workflow, if it waits for its turn or has it.
    """

    now: datetime
    coordinator: str | None = None
    others: tuple[str, ...] = ()
    last_master_at: datetime | None = None
    commands: tuple[Asked, ...] = ()
    refused: tuple[Asked, ...] = ()
    backfill: BackfillPlace | None = None
    turn: TurnPlace | None = None


def read_evidence(engine: Engine, workflow_instance_id: int, slot: int, living_s: float) -> Evidence:
    """Return what the database knows about what a run waits for.

    Args:
        engine: Of any role.
        workflow_instance_id: The run.
        slot: Its slot.
        living_s: A master that was seen within so many seconds lives.

    Raises:
        StoreUnavailable: The database is away.
    """
    with reading(engine) as connection:
        now = database_now(connection)
        names, last = _masters(connection, now - timedelta(seconds=living_s))
        return Evidence(
            now=now,
            coordinator=_coordinator(connection, slot, now),
            others=names,
            last_master_at=last,
            commands=_commands(connection, workflow_instance_id),
            refused=_refused(connection, workflow_instance_id),
            backfill=_backfill_place(connection, workflow_instance_id),
            turn=_turn_place(connection, workflow_instance_id),
        )


def _coordinator(connection: Connection, slot: int, now: datetime) -> str | None:
    lease = slot_lease.c
    joined = slot_lease.outerjoin(master, master.c.incarnation == lease.owner)
    statement = (
        select(func.coalesce(master.c.name, lease.owner))
        .select_from(joined)
        .where(lease.slot == slot, lease.owner.is_not(None), lease.expires_at >= now)
    )
    return connection.execute(statement).scalar_one_or_none()


def _masters(connection: Connection, since: datetime) -> tuple[tuple[str, ...], datetime | None]:
    here = master.c.left_at.is_(None) & (master.c.last_heartbeat >= since)
    names = connection.execute(select(master.c.name).where(here).order_by(master.c.name)).scalars()
    newest = select(master.c.last_heartbeat).order_by(master.c.last_heartbeat.desc()).limit(1)
    return tuple(names), connection.execute(newest).scalar_one_or_none()


def _commands(connection: Connection, workflow_instance_id: int) -> tuple[Asked, ...]:
    columns = command.c
    statement = select(columns.kind, columns.created_at).where(
        columns.workflow_instance_id == workflow_instance_id
    )
    rows = connection.execute(statement.order_by(columns.id).limit(MOST_ROWS))
    return tuple(Asked(kind=kind, at=at) for kind, at in rows)


def _refused(connection: Connection, workflow_instance_id: int) -> tuple[Asked, ...]:
    columns = error_command.c
    statement = select(columns.kind, columns.failed_at, columns.reason).where(
        columns.workflow_instance_id == workflow_instance_id
    )
    rows = connection.execute(statement.order_by(columns.id.desc()).limit(MOST_ROWS))
    return tuple(Asked(kind=kind, at=at, reason=reason) for kind, at, reason in rows)


def _backfill_place(connection: Connection, workflow_instance_id: int) -> BackfillPlace | None:
    columns = (part.position, part.released_at, backfill.c.id, backfill.c.max_parallel)
    statement = (
        select(*columns, backfill.c.created_at, backfill.c.reason)
        .select_from(backfill_run.join(backfill))
        .where(part.workflow_instance_id == workflow_instance_id)
    )
    row = connection.execute(statement).one_or_none()
    if row is None:
        return None
    waiting = select(func.count()).where(
        part.backfill_id == row.id, part.position < row.position, part.released_at.is_(None), ~part.done
    )
    return BackfillPlace(
        id=row.id,
        max_parallel=row.max_parallel,
        created_at=row.created_at,
        released_at=row.released_at,
        waiting=connection.execute(waiting).scalar_one(),
        going_on=tuple(_going_on(connection, row.id)),
        reason=row.reason,
    )


def _going_on(connection: Connection, backfill_id: int) -> Sequence[int]:
    statement = (
        select(run.id)
        .select_from(backfill_run.join(workflow_instance, run.id == part.workflow_instance_id))
        .where(part.backfill_id == backfill_id, part.released_at.is_not(None))
        .where(run.state.not_in(sorted(WORKFLOW_FINAL)))
        .order_by(part.position)
        .limit(MOST_ROWS)
    )
    return connection.execute(statement).scalars().all()


def _turn_place(connection: Connection, workflow_instance_id: int) -> TurnPlace | None:
    """Return the place of a run that waits, or has been given the turn; of any other there is none."""
    asked = connection.execute(select(run.workflow, run.state).where(run.id == workflow_instance_id)).one()
    given = serial_holder.c
    found = connection.execute(
        select(given.workflow_instance_id, given.since, run.state)
        .select_from(serial_holder.outerjoin(workflow_instance, run.id == given.workflow_instance_id))
        .where(given.workflow == asked.workflow)
    ).one_or_none()
    waits = asked.state == WorkflowState.WAITING
    holder = found.workflow_instance_id if found is not None else None
    if not waits and holder != workflow_instance_id:
        return None
    ahead = select(func.count()).where(
        UNFINISHED,
        run.workflow == asked.workflow,
        run.state == WorkflowState.WAITING.value,
        run.id != (holder or 0),
    )
    if waits and holder != workflow_instance_id:
        ahead = ahead.where(run.id < workflow_instance_id)
    return TurnPlace(
        holder=holder,
        state=found.state if found is not None else None,
        since=found.since if found is not None else None,
        ahead=connection.execute(ahead).scalar_one(),
    )
