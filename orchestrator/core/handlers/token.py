"""Owns the comparison of an event's token with memory: it comes before any comparison of states."""

from orchestrator.core.event import TaskEvent
from orchestrator.core.instance import TaskInstance
from orchestrator.core.notice import AttemptNotice
from orchestrator.core.run import WorkflowInstance
from orchestrator.core.status import TASK_FINAL
from orchestrator.errors import AheadOfMemory, ForgedEvent, RepeatedEvent, StaleEvent, UnknownInstance


def live_attempt(instance: WorkflowInstance, event: TaskEvent) -> TaskInstance:
    """Return the attempt that `event` may speak for.

    Raises:
        UnknownInstance: The definition has no such task.
        AheadOfMemory: Memory does not know this attempt or dispatch yet.
        StaleEvent: The hand-over is over by somebody else's decision, or another worker owns it.
        RepeatedEvent: The same worker already reported the end of this hand-over.
        ForgedEvent: The ticket is not that of this dispatch.
    """
    attempt = instance.attempts.get(event.task)
    if attempt is None or event.token > attempt.token:
        if event.task not in instance.graph.tasks:
            raise UnknownInstance(f"workflow {instance.head.workflow} has no task {event.task}")
        if attempt is None and event.attempt <= instance.spent.get(event.task, 0):
            raise StaleEvent(f"{event.task}: attempt {event.attempt} is to be run again")
        raise AheadOfMemory(f"{event.task}: {event.token} is ahead of memory")
    check_event(attempt, event)
    return attempt


def check_event(attempt: TaskInstance, event: TaskEvent) -> None:
    """Return if `event` speaks for the live dispatch of `attempt`, as it stands in memory or in its row.

    Raises:
        StaleEvent, RepeatedEvent, ForgedEvent: As in `live_attempt`.
    """
    if event.token < attempt.token:
        raise StaleEvent(f"{event.task}: {event.token} is behind {attempt.token}")
    if event.ticket != attempt.ticket:
        raise ForgedEvent(f"{event.task}: the ticket is not that of dispatch {event.dispatch}")
    if attempt.incarnation is not None and event.incarnation not in ("", attempt.incarnation):
        raise StaleEvent(f"{event.task}: owned by {attempt.worker}")
    if attempt.state in TASK_FINAL:
        if attempt.reported:
            raise RepeatedEvent(f"{event.task}: already {attempt.state}")
        raise StaleEvent(f"{event.task}: {attempt.state} by decision of the master")


def noticed_attempt(instance: WorkflowInstance, notice: AttemptNotice) -> TaskInstance:
    """Return the attempt that a notice of the master's own machinery speaks of.

    Raises:
        RepeatedEvent: That hand-over is over; the notice is void.
    """
    attempt = instance.attempts.get(notice.task)
    if attempt is None or attempt.token != notice.token or attempt.state in TASK_FINAL:
        raise RepeatedEvent(f"{notice.task}: {notice.token} is over")
    return attempt
