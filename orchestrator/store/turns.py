"""Owns the questions about turns: who has been given one, who waits, and which chains have stopped."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Select, and_, exists, func, or_, select, update

from orchestrator.core.changes import Leases
from orchestrator.core.command import CommandKind
from orchestrator.core.definition import Execution, from_document
from orchestrator.core.serial import Turn, TurnStep
from orchestrator.core.status import WorkflowState
from orchestrator.crash import crash_point
from orchestrator.store.bulk import KEYS_AT_ONCE, chunks
from orchestrator.store.commit import fence
from orchestrator.store.schema import (
    UNFINISHED,
    command,
    serial_holder,
    workflow_definition,
    workflow_instance,
)
from orchestrator.store.session import reading, writing
from orchestrator.store.turn_rows import Settlement, settle

run = workflow_instance.c
held = serial_holder.c
given = workflow_instance.alias("given")
WAITING = WorkflowState.WAITING.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """A chain that does not go on by itself.

    Attributes:
        slot: Of the first run that waits: its master sees to it.
        orphans: Runs that should have been stopped at once, and found no STOP.
    """

    workflow: str
    slot: int
    orphans: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What became of a chain that had stopped.

    Attributes:
        repaired: Something had been lost; not so where what was waited for belongs to a parallel version.
        slots: Whose masters are to be woken.
    """

    repaired: bool = False
    slots: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The runs of one workflow that wait for their turn.

    Attributes:
        holder: Who has been given the turn.
        since: When it was.
        repairs: How often a sweep had to put the line in motion again.
    """

    workflow: str
    holder: int | None
    since: datetime | None
    waiting: int
    repairs: int = 0
    repaired_at: datetime | None = None


def _finds(of: Any, *kinds: CommandKind) -> ColumnElement[bool]:
    """Return whether a run finds a command, of one of these kinds if any are given."""
    found = exists().where(command.c.slot == of.slot, command.c.workflow_instance_id == of.id)
    return found.where(command.c.kind.in_([kind.value for kind in kinds])) if kinds else found


def _stopped() -> Select[Any]:
    """Return what finds the workflow, and the slot of the first waiting run, where nobody keeps the turn."""
    first = (
        select(run.workflow, func.min(run.id).label("id"))
        .where(UNFINISHED, run.state == WAITING)
        .group_by(run.workflow)
        .subquery()
    )
    woken = (given.c.state == WAITING) & _finds(given.c, CommandKind.WAKE)
    joined = (
        first.join(workflow_instance, run.id == first.c.id)
        .outerjoin(serial_holder, held.workflow == first.c.workflow)
        .outerjoin(given, given.c.id == held.workflow_instance_id)
    )
    lost = or_(given.c.id.is_(None), ~given.c.has_turn & ~woken)
    return select(first.c.workflow, run.slot).select_from(joined).where(lost)


STOPPED = _stopped()
WAITING_KINDS = select(run.definition_id).where(UNFINISHED, run.state == WAITING).distinct()


class Turns:
    """Answers a master's questions about turns, and puts chains in motion that have stopped.

    Args:
        engine: Of any role; to mend, of the role `master`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._executions: dict[int, Execution] = {}

    def holding(self, ids: Collection[int]) -> set[int]:
        """Return which of these runs have been given the turn of their workflow.

        Raises:
            StoreUnavailable: The database is away.
        """
        found: set[int] = set()
        with reading(self._engine) as connection:
            for some in chunks(sorted(ids), KEYS_AT_ONCE):
                statement = select(held.workflow_instance_id).where(held.workflow_instance_id.in_(some))
                found.update(connection.execute(statement).scalars())
        return found

    def addressed(self, workflows: Collection[str]) -> set[int]:
        """Return the runs of these workflows that find a command.

        Raises:
            StoreUnavailable: The database is away.
        """
        statement = (
            select(run.id)
            .join(command, and_(command.c.slot == run.slot, command.c.workflow_instance_id == run.id))
            .where(run.workflow.in_(sorted(workflows)), UNFINISHED)
        )
        with reading(self._engine) as connection:
            return set(connection.execute(statement).scalars())

    def look(self, slots: Collection[int]) -> list[Stopped]:
        """Return the chains that have stopped whose first waiting run belongs to one of these slots.

        Raises:
            StoreUnavailable: The database is away.
        """
        found: dict[str, Stopped] = {}
        with reading(self._engine) as connection:
            waiting = connection.execute(WAITING_KINDS).scalars().all()
            if not waiting:  # nearly always: one question is all that an idle master asks
                return []
            for row in connection.execute(STOPPED):
                if row.slot in slots:
                    found[row.workflow] = Stopped(workflow=row.workflow, slot=row.slot)
            for workflow, orphans in self._orphans(connection, waiting).items():
                slot = orphans[0][1]
                if slot in slots:
                    numbers = tuple(number for number, _ in orphans)
                    found[workflow] = Stopped(workflow=workflow, slot=slot, orphans=numbers)
        return sorted(found.values(), key=lambda one: one.workflow)

    def mend(self, stopped: Stopped, leases: Leases) -> Settled:
        """Settle the turn of a chain as its rows say, under the fence; whoever is next finds its WAKE.

        Raises:
            LeaseLost: The slot belongs to another master; nothing was written.
            StoreUnavailable: The database is away; nothing was written.
            CommitInDoubt: The reply of the COMMIT was lost; the next look shows what became of it.
        """
        with writing(self._engine) as connection:
            now = fence(connection, leases)
            crash_point("serial.before_flush")
            settlement = settle(connection, stopped.workflow, _again(stopped), now)
            repaired = bool(settlement.slots) and not self._was_parallel(connection, settlement)
            if repaired:
                _count(connection, stopped.workflow, now)
            crash_point("serial.after_flush")
        crash_point("serial.after_commit")
        return Settled(repaired=repaired, slots=settlement.slots)

    def lines(self) -> list[Line]:
        """Return the lines of all workflows in which runs wait, or that had to be repaired, by name.

        Raises:
            StoreUnavailable: The database is away.
        """
        waiting = (
            select(run.workflow, func.count().label("number"))
            .where(UNFINISHED, run.state == WAITING)
            .group_by(run.workflow)
            .subquery()
        )
        number = func.coalesce(waiting.c.number, 0)
        statement = (
            select(serial_holder, number.label("waiting"))
            .select_from(serial_holder.outerjoin(waiting, waiting.c.workflow == held.workflow))
            .where(or_(number > 0, held.repairs > 0))
            .order_by(held.workflow)
        )
        with reading(self._engine) as connection:
            rows = connection.execute(statement).all()
        return [
            Line(
                workflow=row.workflow,
                holder=row.workflow_instance_id,
                since=row.since,
                waiting=row.waiting,
                repairs=row.repairs,
                repaired_at=row.repaired_at,
            )
            for row in rows
        ]

    def _orphans(self, connection: Connection, waiting: Sequence[int]) -> dict[str, list[tuple[int, int]]]:
        """Return id and slot of the runs that do not wait by their type, have no turn, and find no command."""
        discarding = [
            number for number in waiting if self._execution(connection, number) is Execution.SERIAL_DISCARD
        ]
        statement = (
            select(run.workflow, run.id, run.slot)
            .outerjoin(serial_holder, held.workflow_instance_id == run.id)
            .where(UNFINISHED, run.state == WAITING, run.definition_id.in_(discarding))
            .where(held.workflow.is_(None), ~_finds(run))
            .order_by(run.id)
        )
        found: dict[str, list[tuple[int, int]]] = {}
        for workflow, number, slot in connection.execute(statement) if discarding else ():
            found.setdefault(workflow, []).append((number, slot))
        return found

    def _was_parallel(self, connection: Connection, settlement: Settlement) -> bool:
        """Return whether a run of a parallel version was waited for, which passes on no turn when it ends."""
        statement = select(run.definition_id).where(run.id == settlement.before)
        number = connection.execute(statement).scalar_one_or_none()
        return number is not None and self._execution(connection, number) is Execution.PARALLEL

    def _execution(self, connection: Connection, definition_id: int) -> Execution:
        if definition_id not in self._executions:
            statement = select(workflow_definition.c.document).where(
                workflow_definition.c.id == definition_id
            )
            definition = from_document(connection.execute(statement).scalar_one())
            self._executions[definition_id] = definition.execution
        return self._executions[definition_id]


def _again(stopped: Stopped) -> list[Turn]:
    """Return the steps of those who asked and got no answer."""
    return [
        Turn(
            workflow=stopped.workflow,
            workflow_instance_id=number,
            execution=Execution.SERIAL_DISCARD,
            step=TurnStep.ASK,
        )
        for number in stopped.orphans
    ]


def _count(connection: Connection, workflow: str, now: datetime) -> None:
    statement = update(serial_holder).where(held.workflow == workflow)
    connection.execute(statement.values(repairs=held.repairs + 1, repaired_at=now))
