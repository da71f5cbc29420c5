"""Owns what a row asks for: the one place that says dispatch, recall, kill or wait.

The loop asks after each commit for the rows it wrote, and on loading for all rows of a run; so taking over
after a crash is the same code as going on.
"""

from dataclasses import dataclass
from datetime import datetime

from orchestrator.core.definition import TaskDefinition
from orchestrator.core.elements import MAP, gathers
from orchestrator.core.instance import Head, TaskInstance
from orchestrator.core.logic import DEPENDENT, JUDGED_TYPES, LOGIC_TYPES, SUB_WORKFLOW
from orchestrator.core.pool import is_without_slot
from orchestrator.core.run import QUEUE_TIMEOUT, is_doomed, is_held
from orchestrator.core.status import TASK_HANDED_OVER, TaskState


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Hand the attempt to a worker."""


@dataclass(frozen=True, slots=True)
class Recall:
    """Try to take the hand-over back."""


@dataclass(frozen=True, slots=True)
class Kill:
    """Ask the owner to kill the attempt."""


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Submit the attempt (or let a submitted one go) at this database time."""

    at: datetime


@dataclass(frozen=True, slots=True)
class TimeoutAt:
    """The attempt's own timeout is due at this database time."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Overdue:
    """The broker has had the hand-over since this database time; recall it if it does not start."""

    since: datetime


@dataclass(frozen=True, slots=True)
class Judge:
    """Work out what the values say: this attempt is decided by the master."""


@dataclass(frozen=True, slots=True)
class Look:
    """Look now and then at what other workflows did: the attempt waits for their runs."""


@dataclass(frozen=True, slots=True)
class Withdraw:
    """End, or hold, an attempt that nobody but the master has."""


Want = Dispatch | Recall | Kill | WakeAt | TimeoutAt | Overdue | Judge | Look | Withdraw


def wants(head: Head, task: TaskDefinition, attempt: TaskInstance) -> Want | None:
    """Return what the row of a current attempt asks for, given the row of its run; `None` when nothing.

    Args:
        head: The run's row.
        task: The definition of the attempt's task.
        attempt: The attempt's row.
    """
    doomed = is_doomed(head, task)
    if attempt.state is TaskState.DELAYED:
        return WakeAt(attempt.due_at) if attempt.due_at is not None else None
    if task.type in LOGIC_TYPES and not head.dry_run:
        return _wants_decided(head, task, attempt, doomed=doomed)
    match attempt.state:
        case TaskState.RUNNING if doomed:
            return Kill()
        case TaskState.RUNNING if attempt.timeout_at is not None:
            return TimeoutAt(attempt.timeout_at)
    if attempt.state not in TASK_HANDED_OVER or attempt.incarnation is not None:
        return None
    return _wants_handed_over(head, task, attempt, doomed=doomed)


def queue_deadline(head: Head, task: TaskDefinition, attempt: TaskInstance) -> datetime | None:
    """Return when it will have waited too long for a worker, in database time; `None` if it may, or is started.

    Args:
        head: The run's row.
        task: The definition of the attempt's task.
        attempt: The row of a current attempt.
    """
    waits = attempt.state in TASK_HANDED_OVER and attempt.started_at is None and attempt.incarnation is None
    if task.queue_timeout_s is None or not waits or attempt.reason == QUEUE_TIMEOUT:
        return None
    if is_doomed(head, task) or is_held(head, attempt.task):
        return None
    return attempt.queue_timeout_at


def _wants_decided(head: Head, task: TaskDefinition, attempt: TaskInstance, *, doomed: bool) -> Want | None:
    """Return what a row asks for that no worker ever gets."""
    match attempt.state:
        case TaskState.SUBMITTED if doomed or is_held(head, attempt.task):
            return Withdraw()
        case TaskState.SUBMITTED | TaskState.RUNNING if _is_judged(task, attempt):
            return Judge()
        case TaskState.RUNNING if doomed and task.type not in _ENDED_BY_OTHERS:
            return Withdraw()
        case TaskState.RUNNING if task.type == DEPENDENT:
            return Look()
        case TaskState.RUNNING if attempt.timeout_at is not None and not doomed:
            return TimeoutAt(attempt.timeout_at)
    return None


_ENDED_BY_OTHERS = frozenset({MAP, SUB_WORKFLOW})
"""Its elements, or its child, end it; they are asked to."""


def _is_judged(task: TaskDefinition, attempt: TaskInstance) -> bool:
    return gathers(attempt) or (attempt.state is TaskState.SUBMITTED and task.type in JUDGED_TYPES)


def _wants_handed_over(
    head: Head, task: TaskDefinition, attempt: TaskInstance, *, doomed: bool
) -> Want | None:
    held = doomed or is_held(head, attempt.task)
    if is_without_slot(task, attempt):  # the grant is mail; nobody else has the attempt
        return Withdraw() if held else None
    if held or attempt.reason == QUEUE_TIMEOUT:
        return Recall()
    if attempt.state is TaskState.DISPATCHED:
        return Overdue(attempt.dispatched_at) if attempt.dispatched_at else Recall()
    return WakeAt(attempt.due_at) if attempt.due_at is not None else Dispatch()
