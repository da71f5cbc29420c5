"""Owns whose turn it is among the runs of a serial workflow: settled from rows, in somebody's transaction.

Settling asks nothing but the rows, and doing it once more changes nothing. So the same statements serve the
transaction in which a run ends and the sweep that looks whether a chain has stopped.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any, Protocol

from sqlalchemy import Connection, exists, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from orchestrator.core.command import CommandKind
from orchestrator.core.definition import Execution
from orchestrator.core.serial import SERIAL, Turn, TurnStep
from orchestrator.core.status import WorkflowState
from orchestrator.crash import crash_point
from orchestrator.errors import RevisionLost
from orchestrator.store.schema import (
    UNFINISHED,
    command,
    serial_holder,
    workflow_definition,
    workflow_instance,
)
from orchestrator.store.session import is_postgres

run = workflow_instance.c
UNDER_WAY = tuple(
    state.value
    for state in (
        WorkflowState.RUNNING,
        WorkflowState.PAUSING,
        WorkflowState.STOPPING,
        WorkflowState.PAUSED,
    )
)
STOPPABLE = tuple(
    state.value
    for state in (
        WorkflowState.WAITING,
        WorkflowState.RUNNING,
        WorkflowState.PAUSING,
        WorkflowState.PAUSED,
    )
)
WAITING = WorkflowState.WAITING.value
WITH_DEFINITION = workflow_instance.join(workflow_definition)
IS_SERIAL = workflow_definition.c.document["execution"].as_string().is_not(None)
"""Whether a run's version says so; the default, `parallel`, is not written down."""


def settle_turns(connection: Connection, turns: Sequence[Turn], now: datetime) -> None:
    """Check and pass on the turns that these steps are about; whoever is concerned finds a command.

    Args:
        connection: In a writing transaction that has written the rows of these runs.
        turns: What runs did, in order.
        now: The database's time.

    Raises:
        RevisionLost: A run began whose turn it is not.
    """
    if not turns:
        return
    crash_point("serial.before_flush")
    by_name = attrgetter("workflow")
    for workflow, steps in groupby(sorted(turns, key=by_name), key=by_name):  # one order, so no deadlock
        settle(connection, workflow, list(steps), now)
    crash_point("serial.after_flush")


class Found(Protocol):
    """A row that says which run, and where its commands go."""

    id: int
    slot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What became of the turn of one workflow.

    Attributes:
        before: Who had been given it.
        holder: Who has been given it now.
        slots: Of the runs that find a command.
    """

    before: int | None
    holder: int | None
    slots: frozenset[int]


def settle(connection: Connection, workflow: str, steps: Sequence[Turn], now: datetime) -> Settlement:
    """Settle the turn of one workflow: who does not need it any more gives it to the first that waits.

    Raises:
        RevisionLost: A run began whose turn it is not.
    """
    before = lock(connection, workflow)
    strangers = _runs(steps, TurnStep.TAKE) - {before}
    if strangers:
        raise RevisionLost(strangers)
    told: list[Found] = []
    urgent = _runs(steps, TurnStep.ASK, Execution.SERIAL_PRIORITY)
    if urgent:  # before anybody is woken: who finds both a STOP and a WAKE is stopped
        told += _clear_the_way(connection, workflow, max(urgent), now)
    holder = before
    if not keeps(connection, before):
        holder, woken = _pass_on(connection, workflow, now)
        told += woken
    if holder != before:
        _note(connection, workflow, holder, now)
    unlucky = _runs(steps, TurnStep.ASK, Execution.SERIAL_DISCARD) - {holder}
    told += _discard(connection, unlucky, holder, now)
    return Settlement(before=before, holder=holder, slots=frozenset(one.slot for one in told))


def lock(connection: Connection, workflow: str) -> int | None:
    """Return which run has been given the turn; until the transaction ends nobody else changes that."""
    statement = select(serial_holder.c.workflow_instance_id).where(serial_holder.c.workflow == workflow)
    found = connection.execute(statement.with_for_update()).one_or_none()
    if found is None:
        dialect = postgresql if is_postgres(connection) else sqlite
        first = dialect.insert(serial_holder).values(workflow=workflow, repairs=0)
        connection.execute(first.on_conflict_do_nothing())
        found = connection.execute(statement.with_for_update()).one()
    holder: int | None = found.workflow_instance_id
    return holder


def keeps(connection: Connection, holder: int | None) -> bool:
    """Return whether a run has use for the turn: it is under way, or will be when it finds its WAKE.

    A run of a parallel version never has: it did not ask, and gives nothing back. Who waits for it is looked up
    each time.
    """
    if holder is None:
        return False
    columns = (run.state, run.has_turn, run.slot, IS_SERIAL.label("is_serial"))
    found = select(*columns).select_from(WITH_DEFINITION).where(run.id == holder)
    row = connection.execute(found).one_or_none()
    if row is None or not row.is_serial:
        return False
    return row.has_turn or (row.state == WAITING and _finds_wake(connection, holder, row.slot))


def _finds_wake(connection: Connection, number: int, slot: int) -> bool:
    wake = exists().where(
        command.c.slot == slot,
        command.c.workflow_instance_id == number,
        command.c.kind == CommandKind.WAKE.value,
    )
    return bool(connection.execute(select(wake)).scalar_one())


def _pass_on(connection: Connection, workflow: str, now: datetime) -> tuple[int | None, Sequence[Found]]:
    """Return who has the turn now, and who was told: the first that waits, or whom it has to wait for."""
    waits = select(run.id, run.slot, run.version).where(run.workflow == workflow, UNFINISHED)
    first = connection.execute(waits.where(run.state == WAITING).order_by(run.id).limit(1)).one_or_none()
    if first is None:
        return None, ()
    guest = _run_of_earlier_version(connection, workflow, first.version)
    if guest is not None:
        return guest, ()
    return first.id, _send(connection, [first], CommandKind.WAKE, {SERIAL: True}, now)


def _run_of_earlier_version(connection: Connection, workflow: str, version: int) -> int | None:
    """Return a run under way of a version before, which was a parallel one: it asked for no turn."""
    under_way = (run.state.in_(UNDER_WAY), run.has_turn, run.version < version)
    statement = select(func.min(run.id)).where(run.workflow == workflow, UNFINISHED, *under_way)
    number: int | None = connection.execute(statement).scalar_one()
    return number


def _note(connection: Connection, workflow: str, holder: int | None, now: datetime) -> None:
    statement = update(serial_holder).where(serial_holder.c.workflow == workflow)
    since = None if holder is None else now
    connection.execute(statement.values(workflow_instance_id=holder, since=since))


# --- newcomers -------------------------------------------------------------------------------


def _discard(
    connection: Connection, runs: Collection[int], holder: int | None, now: datetime
) -> Sequence[Found]:
    """Have newcomers stopped that do not wait, and did not get the turn."""
    if not runs:
        return ()
    still = select(run.id, run.slot).where(run.id.in_(sorted(runs)), run.state == WAITING).order_by(run.id)
    reason = f"stopped: run {holder} has the turn (serial_discard)"
    body = {SERIAL: True, "reason": reason}
    return _send(connection, connection.execute(still).all(), CommandKind.STOP, body, now)


def _clear_the_way(connection: Connection, workflow: str, newcomer: int, now: datetime) -> Sequence[Found]:
    """Stop what runs or waits of the newcomer's version and those before; later ones do not wait for it."""
    version = select(run.version).where(run.id == newcomer, run.state == WAITING).scalar_subquery()
    others = select(run.id, run.slot).where(
        run.workflow == workflow,
        UNFINISHED,
        run.state.in_(STOPPABLE),
        run.id != newcomer,
        ~run.dry_run,
        run.version <= version,
    )
    reason = f"stopped for run {newcomer}, which came later (serial_priority)"
    found = connection.execute(others.order_by(run.id)).all()
    return _send(connection, found, CommandKind.STOP, {SERIAL: True, "reason": reason}, now)


def _send(
    connection: Connection,
    runs: Sequence[Found],
    kind: CommandKind,
    body: dict[str, Any],
    now: datetime,
) -> Sequence[Found]:
    """Leave a command for each of these runs, and return them."""
    rows = [
        {
            "slot": one.slot,
            "workflow_instance_id": one.id,
            "kind": kind.value,
            "body": body,
            "created_at": now,
        }
        for one in runs
    ]
    if rows:
        connection.execute(insert(command), rows)
    return runs


def _runs(steps: Sequence[Turn], step: TurnStep, execution: Execution | None = None) -> set[int]:
    return {
        one.workflow_instance_id for one in steps if one.step is step and execution in (None, one.execution)
    }
