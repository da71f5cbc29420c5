"""Owns how runs, attempts and times look as documents: as INTERFACE sections 2 and 7 have them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import RowMapping

from orchestrator.core.definition import from_document
from orchestrator.core.instance import TaskInstance
from orchestrator.core.workflow_outputs import workflow_outputs
from orchestrator.errors import DefinitionError
from orchestrator.store.rows import head_of

Document = dict[str, Any]


def run_document(row: RowMapping, attempts: Sequence[TaskInstance]) -> Document:
    """Return a run.

    Args:
        row: Of the run, with its definition's document.
        attempts: All of them, in order of submission.
    """
    return {
        "id": row["id"],
        "workflow": row["workflow"],
        "version": row["version"],
        "state": row["state"],
        "run_count": row["run_count"],
        "dry_run": row["dry_run"],
        "planned_time": as_text(row["planned_time"]),
        "submitted_at": as_text(row["submitted_at"]),
        "started_at": as_text(row["started_at"]),
        "ended_at": as_text(row["ended_at"]),
        "parent": row["parent_id"],
        "params": row["params"],
        "outputs": _outputs(row, attempts),
        "reason": row["reason"],
        "held": row["held"],
        "tasks": [_task(attempt) for attempt in attempts],
    }


def as_texts(row: RowMapping) -> Document:
    """Return a row, its times as texts."""
    return {name: as_text(value) if isinstance(value, datetime) else value for name, value in row.items()}


def as_text(at: datetime | None) -> str | None:
    """Return a time as ISO 8601 in UTC."""
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _task(attempt: TaskInstance) -> Document:
    return {
        "name": attempt.task,
        "type": attempt.type,
        "state": attempt.state.value,
        "attempt": attempt.attempt,
        "current": attempt.current,
        "dispatch": attempt.dispatch,
        "worker": attempt.worker,
        "submitted_at": as_text(attempt.submitted_at),
        "dispatched_at": as_text(attempt.dispatched_at),
        "started_at": as_text(attempt.started_at),
        "ended_at": as_text(attempt.ended_at),
        "exit_code": attempt.exit_code,
        "reason": attempt.reason,
        "outputs": dict(attempt.outputs),
        "child": attempt.child,
        "due_at": as_text(attempt.due_at),
        "host": attempt.host,
        "log_path": attempt.log_path,
    }


def _outputs(row: RowMapping, attempts: Sequence[TaskInstance]) -> Document:
    current = {attempt.task: attempt for attempt in attempts if attempt.current}
    try:
        return workflow_outputs(from_document(row["document"]), head_of(row), current)
    except DefinitionError:  # such a run ends FAILURE at its start; it is shown all the same
        return {}
