"""Owns what the notices of the master's own machinery mean: timers, recalls, losses."""

from dataclasses import replace

from orchestrator.core.convergence import converge
from orchestrator.core.draft import Draft
from orchestrator.core.family import give_up
from orchestrator.core.handlers.control import end_unstartable
from orchestrator.core.handlers.logic import approval_timeout
from orchestrator.core.handlers.report import fail, lose, next_dispatch
from orchestrator.core.handlers.token import noticed_attempt
from orchestrator.core.logic import APPROVAL
from orchestrator.core.notice import (
    AttemptDue,
    AttemptLost,
    AttemptTimeout,
    CannotStart,
    Continue,
    QueueTimeout,
    RecallLost,
    RecallWon,
    RunTimeout,
    Unsubmittable,
)
from orchestrator.core.pool import GIVES_WAY, is_in_pool, is_without_slot
from orchestrator.core.run import QUEUE_TIMEOUT, WorkflowInstance, is_doomed, is_held
from orchestrator.core.status import TASK_HANDED_OVER, TaskState, WorkflowState
from orchestrator.core.transition import Context, Transition
from orchestrator.core.wants import queue_deadline
from orchestrator.errors import RepeatedEvent

QUEUE_TIMED_OUT = "QueueTimeout"
"""What `non_retryable` is compared with when no worker started an attempt in time."""


def handle_attempt_due(instance: WorkflowInstance, notice: AttemptDue, context: Context) -> Transition:
    """Submit an attempt whose delay is over; a submitted one whose back-off is over is only let go."""
    attempt = noticed_attempt(instance, notice)
    if attempt.due_at is None or attempt.due_at > context.now:
        raise RepeatedEvent(f"{notice.task}: not due")
    if attempt.state not in (TaskState.DELAYED, TaskState.SUBMITTED):
        raise RepeatedEvent(f"{notice.task}: {attempt.state} does not wait for a time")
    draft = Draft(instance, context)
    draft.update(attempt, state=TaskState.SUBMITTED, due_at=None, reason=None)
    return draft.transition()


def handle_attempt_timeout(
    instance: WorkflowInstance, notice: AttemptTimeout, context: Context
) -> Transition:
    """Second line of a task's timeout: fail it (or only tell people) although its worker says nothing."""
    attempt = noticed_attempt(instance, notice)
    if attempt.state is not TaskState.RUNNING or attempt.timeout_at is None:
        raise RepeatedEvent(f"{notice.task}: {attempt.state} has no timeout")
    draft = Draft(instance, context)
    task = draft.definition(attempt.task)
    if task.type == APPROVAL:
        return approval_timeout(draft, attempt)
    key = f"{attempt.task}:{attempt.attempt}"
    draft.alert("task_timeout", key, task=attempt.task, timeout_s=task.timeout_s)
    if task.on_timeout == "warn":
        draft.update(attempt, timeout_at=None)
        return draft.transition()
    if attempt.child is not None:
        draft.mail(give_up(attempt))
    fail(draft, replace(attempt, reason="timeout"), "timeout")
    converge(draft)
    return draft.transition()


def handle_queue_timeout(instance: WorkflowInstance, notice: QueueTimeout, context: Context) -> Transition:
    """Have an attempt taken back that no worker has started in time, or only tell people.

    It fails when the recall is won: until then a worker may have it.
    """
    attempt = noticed_attempt(instance, notice)
    task = instance.graph.tasks[attempt.task]
    due = queue_deadline(instance.head, task, attempt)
    if due is None or due > context.now:
        raise RepeatedEvent(f"{notice.task}: no queue timeout is due")
    draft = Draft(instance, context)
    key = f"{attempt.task}:{attempt.attempt}"
    if task.on_queue_timeout == "warn":
        draft.alert("queue_timeout", key, task=attempt.task, queue_timeout_s=task.queue_timeout_s)
        draft.update(attempt, queue_timeout_at=None)
    else:
        draft.alert_if_asked("queue_timeout", key, task=attempt.task, queue_timeout_s=task.queue_timeout_s)
        if is_without_slot(task, attempt):  # nobody can have it
            fail(draft, replace(attempt, reason=QUEUE_TIMEOUT), QUEUE_TIMED_OUT)
            converge(draft)
        else:
            draft.update(attempt, reason=QUEUE_TIMEOUT)
    return draft.transition()


def handle_attempt_lost(instance: WorkflowInstance, notice: AttemptLost, context: Context) -> Transition:
    """Replace an attempt whose worker is gone; under STOPPING it is simply killed."""
    attempt = noticed_attempt(instance, notice)
    if attempt.state not in (*TASK_HANDED_OVER, TaskState.RUNNING):
        raise RepeatedEvent(f"{notice.task}: {attempt.state} is with no worker")
    if attempt.incarnation not in (None, notice.incarnation):
        raise RepeatedEvent(f"{notice.task}: owned by another incarnation")
    draft = Draft(instance, context)
    lose(draft, attempt, notice.reason, losses=attempt.losses + 1)
    converge(draft)
    return draft.transition()


def handle_recall_won(instance: WorkflowInstance, notice: RecallWon, context: Context) -> Transition:
    """End the hand-over that the master took back: killed, paused, failed, or submitted once more."""
    attempt = noticed_attempt(instance, notice)
    if attempt.state not in TASK_HANDED_OVER:
        raise RepeatedEvent(f"{notice.task}: {attempt.state} cannot be recalled")
    draft = Draft(instance, context)
    if is_doomed(draft.head, draft.definition(attempt.task)):
        draft.end(attempt, TaskState.KILLED, reason="stopped")
    elif is_held(draft.head, attempt.task):
        reason = None if attempt.reason == QUEUE_TIMEOUT else attempt.reason
        draft.update(attempt, state=TaskState.PAUSED, reason=reason, **next_dispatch(attempt, context))
    elif attempt.reason == QUEUE_TIMEOUT:
        fail(draft, attempt, QUEUE_TIMED_OUT)
    else:
        has_slot = is_in_pool(draft.head, draft.definition(attempt.task), attempt)
        reason = GIVES_WAY if notice.unserved and has_slot else attempt.reason
        draft.update(attempt, state=TaskState.SUBMITTED, reason=reason, **next_dispatch(attempt, context))
    converge(draft)
    return draft.transition()


def handle_recall_lost(instance: WorkflowInstance, notice: RecallLost, context: Context) -> Transition:
    """Note who holds the claim: that worker's report decides now, or its heartbeat."""
    attempt = noticed_attempt(instance, notice)
    if attempt.state not in TASK_HANDED_OVER or attempt.incarnation is not None:
        raise RepeatedEvent(f"{notice.task}: its holder is known")
    draft = Draft(instance, context)
    draft.update(
        attempt,
        worker=notice.worker,
        incarnation=notice.incarnation,
        dispatched_at=attempt.dispatched_at or context.now,  # since when its holder must list it
    )
    return draft.transition()


def handle_unsubmittable(instance: WorkflowInstance, notice: Unsubmittable, context: Context) -> Transition:
    """End an attempt whose inputs cannot be resolved: trying again would not help."""
    attempt = noticed_attempt(instance, notice)
    if attempt.state is not TaskState.SUBMITTED:
        raise RepeatedEvent(f"{notice.task}: already {attempt.state}")
    draft = Draft(instance, context)
    draft.end(attempt, TaskState.FAILURE, reason=notice.reason)
    converge(draft)
    return draft.transition()


def handle_run_timeout(instance: WorkflowInstance, notice: RunTimeout, context: Context) -> Transition:
    """Tell people that the run takes too long; with `on_timeout: stop`, stop it."""
    head = instance.head
    if head.timed_out or head.timeout_at is None or head.timeout_at > context.now:
        raise RepeatedEvent(f"run {notice.workflow_instance_id}: no timeout is due")
    if head.state is not WorkflowState.RUNNING:
        raise RepeatedEvent(f"run {notice.workflow_instance_id}: {head.state} does not time out")
    draft = Draft(instance, context)
    draft.set_head(timed_out=True)
    draft.alert("workflow_timeout", "", timeout_s=instance.definition.timeout_s)
    if instance.definition.on_timeout == "stop":
        draft.set_head(state=WorkflowState.STOPPING, reason="timeout")
        converge(draft)
    return draft.transition()


def handle_continue(instance: WorkflowInstance, notice: Continue, context: Context) -> Transition:
    """Take the next step of what the last one left over."""
    if not instance.is_unsettled:
        raise RepeatedEvent(f"run {notice.workflow_instance_id}: nothing is left over")
    draft = Draft(instance, context)
    converge(draft)
    return draft.transition()


def handle_cannot_start(instance: WorkflowInstance, notice: CannotStart, context: Context) -> Transition:
    """End a run whose definition can never start, with the reason; one that started or was paused is left."""
    if instance.head.state not in (WorkflowState.SUBMITTED, WorkflowState.WAITING):
        raise RepeatedEvent(f"run {notice.workflow_instance_id}: already {instance.head.state}")
    draft = Draft(instance, context)
    draft.set_head(state=WorkflowState.SUBMITTED)
    end_unstartable(draft, notice.reason)
    return draft.transition()
