"""Owns the log lines about runs and attempts: what changed, and what was dropped and why."""

from collections.abc import Iterable

import structlog

from orchestrator.core.instance import Head, TaskInstance
from orchestrator.core.status import WORKFLOW_FINAL, TaskState, WorkflowState
from orchestrator.errors import DropEvent, RepeatedEvent, StaleEvent, UnknownInstance
from orchestrator.master.items import InstanceItem, ReportItem

log = structlog.get_logger("orchestrator.master")

_NOTABLE = frozenset({TaskState.FAILURE, TaskState.KILLED, TaskState.LOST})


def changed(head: Head, row: TaskInstance) -> None:
    """Log a committed attempt: failures and losses at INFO, the rest at DEBUG."""
    write = log.info if row.state in _NOTABLE else log.debug
    write(
        f"task.{row.state.lower()}",
        workflow_instance_id=head.id,
        workflow=head.workflow,
        task=row.task,
        attempt=row.attempt,
        dispatch=row.dispatch,
        reason=row.reason,
    )


def run_changed(head: Head) -> None:
    """Log a run that went to another state."""
    write = log.warning if head.state is WorkflowState.FAILURE else log.info
    write(
        "run.ended" if head.state in WORKFLOW_FINAL else "run.changed",
        workflow_instance_id=head.id,
        workflow=head.workflow,
        state=head.state.value,
        reason=head.reason,
    )


def dropped(items: Iterable[tuple[InstanceItem, DropEvent]]) -> None:
    """Log what changed nothing, each kind at the level of DESIGN section 5."""
    for item, error in items:
        match error:
            case RepeatedEvent():
                write = log.debug
            case StaleEvent() if isinstance(item, ReportItem) and item.entry is not None:
                write = log.info
            case StaleEvent():  # the dispatcher's own word, overtaken
                write = log.debug
            case UnknownInstance():
                write = log.warning
            case _:
                write = log.error
        write(
            f"event.{_NAMES.get(type(error), 'dropped')}",
            workflow_instance_id=item.workflow_instance_id,
            reason=str(error),
        )


_NAMES: dict[type[DropEvent], str] = {
    RepeatedEvent: "repeated",
    StaleEvent: "stale",
    UnknownInstance: "unknown",
}
