"""Owns the parts of backfills: one run each, made for it or run again, and where it stands."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, exists, insert, select, update

from orchestrator.core.command import CommandKind
from orchestrator.core.status import WORKFLOW_FINAL, WorkflowState
from orchestrator.store.new_runs import send_commands
from orchestrator.store.schema import backfill_run, command, workflow_instance

ROWS_AT_ONCE = 1000

run = workflow_instance.c
part = backfill_run.c

IS_ASKED: ColumnElement[bool] = exists(
    select(command.c.id).where(
        command.c.workflow_instance_id == part.workflow_instance_id,
        command.c.kind == CommandKind.RERUN.value,
    )
)
"""Whether a RERUN of the part's run waits for its master: it goes away together with what it changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One run of a backfill.

    Attributes:
        state: Of the run; `None`: it was deleted.
        is_released: It had its turn.
        has_started: The run has started, at whatever time.
        rerun_of: How often it had begun when it was found, to be run again; `None`: it was made for the backfill.
        run_count: How often the run has begun by now.
        is_asked: A RERUN of it waits for its master.
    """

    planned_time: datetime
    number: int
    slot: int
    state: WorkflowState | None = None
    position: int = 0
    is_released: bool = False
    has_started: bool = False
    rerun_of: int | None = None
    run_count: int = 1
    is_asked: bool = False

    @property
    def is_over(self) -> bool:
        """Whether nothing will come of it any more: it has ended, was deleted, or could not be run again."""
        if self.state is None:
            return True
        if self.state not in WORKFLOW_FINAL:
            return False
        if self.rerun_of is None or self.run_count > self.rerun_of:
            return True
        return self.is_released and not self.is_asked

    @property
    def is_held(self) -> bool:
        """Whether it waits for its turn; who pauses and resumes it, or reruns it, starts it by hand."""
        if self.is_over or self.is_released:
            return False
        if self.rerun_of is None:
            return not self.has_started
        return self.state in WORKFLOW_FINAL and self.run_count == self.rerun_of


def ids_of(parts: Iterable[Part]) -> tuple[int, ...]:
    """Return the ids of their runs, in order."""
    return tuple(one.number for one in parts)


def slots_of_runs(parts: Iterable[Part]) -> frozenset[int]:
    """Return the slots of their runs: whose masters are to be woken."""
    return frozenset(one.slot for one in parts)


def open_parts(connection: Connection, backfill_id: int) -> list[Part]:
    """Return the parts that are not known to be over, in the order in which they start."""
    statement = (
        select(
            part.planned_time,
            part.workflow_instance_id,
            part.position,
            part.released_at,
            part.rerun_of,
            run.slot,
            run.state,
            run.started_at,
            run.run_count,
            IS_ASKED.label("is_asked"),
        )
        .select_from(backfill_run.outerjoin(workflow_instance, run.id == part.workflow_instance_id))
        .where(part.backfill_id == backfill_id, ~part.done)
        .order_by(part.position)
    )
    return [
        Part(
            planned_time=row["planned_time"],
            number=row["workflow_instance_id"],
            slot=row["slot"] or 0,
            state=None if row["state"] is None else WorkflowState(row["state"]),
            position=row["position"],
            is_released=row["released_at"] is not None,
            has_started=row["started_at"] is not None,
            rerun_of=row["rerun_of"],
            run_count=row["run_count"] or 0,
            is_asked=bool(row["is_asked"]),
        )
        for row in connection.execute(statement).mappings()
    ]


def insert_parts(
    connection: Connection, backfill_id: int, parts: Sequence[Part], released: int, now: datetime
) -> None:
    """Insert the parts in the order in which they start; the first `released` of them have their turn now."""
    rows = [
        {
            "backfill_id": backfill_id,
            "position": position,
            "planned_time": one.planned_time,
            "workflow_instance_id": one.number,
            "released_at": now if position < released else None,
            "done": False,
            "rerun_of": one.rerun_of,
        }
        for position, one in enumerate(parts)
    ]
    if rows:
        connection.execute(insert(backfill_run), rows)


def set_parts(connection: Connection, backfill_id: int, parts: Iterable[Part], **values: object) -> None:
    """Write columns of these parts' rows."""
    positions = [one.position for one in parts]
    for start in range(0, len(positions), ROWS_AT_ONCE):
        chosen = part.position.in_(positions[start : start + ROWS_AT_ONCE])
        statement = update(backfill_run).where(part.backfill_id == backfill_id, chosen)
        connection.execute(statement.values(values))


def let_go(connection: Connection, parts: Sequence[Part], params: Mapping[str, Any]) -> None:
    """Leave START, or RERUN with these start parameters, for the runs of these parts."""
    fresh = [(one.number, one.slot) for one in parts if one.rerun_of is None]
    send_commands(connection, fresh, CommandKind.START)
    again = [one for one in parts if one.rerun_of is not None]
    bodies = [{"run_count": one.rerun_of, **({"params": dict(params)} if params else {})} for one in again]
    send_commands(connection, [(one.number, one.slot) for one in again], CommandKind.RERUN, bodies)


def call_off(connection: Connection, parts: Sequence[Part]) -> None:
    """Have every run stopped that was made for the backfill: whoever waits for it hears so. Others stay ended."""
    made = [(one.number, one.slot) for one in parts if one.rerun_of is None]
    send_commands(connection, made, CommandKind.STOP)
