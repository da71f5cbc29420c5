"""Owns what the five events mean: one pure handler each."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from orchestrator.core.cache import CacheEntry, entries_of
from orchestrator.core.convergence import converge
from orchestrator.core.draft import Draft
from orchestrator.core.event import (
    CHILD_DIED,
    RejectReason,
    TaskDelayed,
    TaskDispatched,
    TaskResult,
    TaskRunning,
    WorkerReject,
)
from orchestrator.core.handlers.token import live_attempt
from orchestrator.core.instance import TaskInstance
from orchestrator.core.retry import backoff_s, may_retry, retry_delay_s
from orchestrator.core.run import WorkflowInstance
from orchestrator.core.status import TASK_HANDED_OVER, TaskState
from orchestrator.core.transition import Context, Transition
from orchestrator.errors import IllegalTransition, RepeatedEvent, UnresolvedParameter

TIMEOUT = "timeout"
"""What a worker says of an attempt whose time was over."""

MOST = {"deaths": 3, "losses": 10}
"""An attempt whose own process died, or that lost its worker, this often in a row is not tried again."""

CHECK_FAILED = "CheckFailed"
"""What `non_retryable` is compared with when a check is false, or cannot be worked out."""

MOST_REJECTS = 20
"""So many rejects stand in an attempt's row, and two more for each living worker of its group."""
UNKNOWN = (RejectReason.UNKNOWN_TYPE, RejectReason.UNKNOWN_CALLABLE, RejectReason.UNKNOWN_BUNDLE)
"""What a worker lacks for good; another one may have it."""


def handle_dispatched(instance: WorkflowInstance, event: TaskDispatched, context: Context) -> Transition:
    """Note that the broker has the hand-over; a RUNNING or RESULT may have overtaken this."""
    attempt = live_attempt(instance, event)
    if attempt.state is not TaskState.SUBMITTED:
        raise RepeatedEvent(f"{event.task}: already {attempt.state}")
    draft = Draft(instance, context)
    draft.update(attempt, state=TaskState.DISPATCHED, dispatched_at=context.now, due_at=None)
    return draft.transition()


def handle_delayed(instance: WorkflowInstance, event: TaskDelayed, context: Context) -> Transition:
    """End the hand-over and wait: the same attempt is dispatched again after `seconds`.

    Its timeout counts from its first RUNNING, which may be lost or late; but nothing counts that was not begun.
    """
    attempt = live_attempt(instance, event)
    if attempt.state not in (*TASK_HANDED_OVER, TaskState.RUNNING):
        raise IllegalTransition(f"{event.task}: {attempt.state} is with no worker that could defer it")
    draft = Draft(instance, context)
    draft.update(
        attempt,
        state=TaskState.DELAYED,
        due_at=draft.due(max(event.seconds, 0.0)),
        reason="deferred",
        external_ids=event.external_ids or attempt.external_ids,
        **(_start(draft, attempt) if event.began else _as_before(attempt)),
        **next_dispatch(attempt, context),
    )
    converge(draft)
    return draft.transition()


def handle_running(instance: WorkflowInstance, event: TaskRunning, context: Context) -> Transition:
    """Note the owner and where the attempt runs; its timeout counts from its first RUNNING."""
    attempt = live_attempt(instance, event)
    if attempt.state is TaskState.RUNNING:
        raise RepeatedEvent(f"{event.task}: already RUNNING")
    draft = Draft(instance, context)
    draft.update(
        attempt,
        state=TaskState.RUNNING,
        dispatched_at=attempt.dispatched_at or event.dispatched_at,
        due_at=None,
        reason=None,
        **_start(draft, attempt),
        **_place(event),
    )
    return draft.transition()


def handle_result(instance: WorkflowInstance, event: TaskResult, context: Context) -> Transition:
    """End the attempt; then try it again, start what it unblocked, or end the run."""
    attempt = live_attempt(instance, event)
    draft = Draft(instance, context)
    ended = replace(
        attempt,
        reported=True,
        dispatched_at=attempt.dispatched_at or event.dispatched_at,
        exit_code=event.exit_code,
        reason=event.reason,
        outputs=event.outputs,
        **_start(draft, attempt),
        **_place(event),
    )
    cached: tuple[CacheEntry, ...] = ()
    if event.state is TaskState.SUCCESS:
        cached = _succeed(draft, ended)
    elif event.state is not TaskState.FAILURE:
        draft.end(ended, event.state)
    elif event.error == CHILD_DIED:
        lose(draft, ended, event.reason or "its process died", deaths=ended.deaths + 1)
    else:
        if TIMEOUT in (event.error, event.reason):
            key, timeout_s = f"{ended.task}:{ended.attempt}", draft.definition(ended.task).timeout_s
            draft.alert_if_asked("task_timeout", key, task=ended.task, timeout_s=timeout_s)
        fail(draft, ended, event.error)
    converge(draft)
    return replace(draft.transition(), cached=cached)


def handle_reject(instance: WorkflowInstance, event: WorkerReject, context: Context) -> Transition:
    """End the hand-over that a worker gave back; the next one goes out after a back-off."""
    attempt = live_attempt(instance, event)
    if attempt.state not in TASK_HANDED_OVER:
        raise RepeatedEvent(f"{event.task}: already {attempt.state}")
    draft = Draft(instance, context)
    living = context.live_workers(_group(instance, event.task))
    rejected_by = _remembered((*attempt.rejected_by, f"{event.worker} {event.reason}"), len(living))
    if _nobody_knows(rejected_by, living, event.reason):
        draft.end(attempt, TaskState.FAILURE, reported=True, reason=event.detail, rejected_by=rejected_by)
    else:
        wait = backoff_s(len(attempt.rejected_by), context.jitter, first=0.5, cap=30.0)
        draft.update(
            attempt,
            state=TaskState.SUBMITTED,
            due_at=draft.due(wait),
            rejected_by=rejected_by,
            reason=f"rejected: {event.reason}",
            **next_dispatch(attempt, context),
        )
    converge(draft)
    return draft.transition()


def next_dispatch(attempt: TaskInstance, context: Context) -> dict[str, Any]:
    """Return the changes that end a hand-over without a result: number, ticket, and nobody's attempt."""
    return {
        "dispatch": attempt.dispatch + 1,
        "ticket": context.new_ticket(),
        "dispatched_at": None,
        "worker": None,
        "incarnation": None,
        "cache_key": None,
    }


def lose(draft: Draft, attempt: TaskInstance, reason: str, **counted: int) -> None:
    """End an attempt that died with no result, and replace it without using up a retry.

    Args:
        draft: The transition.
        attempt: What was lost.
        reason: For people.
        counted: The counter that grows: `deaths` or `losses`, each with a limit of its own.
    """
    if draft.is_stopping:
        draft.end(attempt, TaskState.KILLED, reason=reason)
    elif any(number >= MOST[what] for what, number in counted.items()):
        draft.end(attempt, TaskState.FAILURE, reason=f"lost: {reason}")
    else:
        draft.replace_attempt(replace(attempt, reason=reason), TaskState.LOST, **counted)


def fail(draft: Draft, ended: TaskInstance, error: str | None) -> None:
    """Try a failed attempt again while it has retries, else let it be FAILURE."""
    task = draft.definition(ended.task)
    if not draft.is_stopping and may_retry(task, ended.failures, error):
        wait = retry_delay_s(task, ended.failures, draft.context.jitter)
        draft.replace_attempt(
            ended,
            TaskState.FAILURE,
            failures=ended.failures + 1,
            losses=0,
            deaths=0,
            due_at=draft.due(wait) if wait else None,
        )
    else:
        draft.end(ended, TaskState.FAILURE)


def _succeed(draft: Draft, ended: TaskInstance) -> tuple[CacheEntry, ...]:
    """End what its worker calls a success, unless the check of its outputs says otherwise; return what is kept."""
    task = draft.definition(ended.task)
    if task.check is None:
        draft.end(ended, TaskState.SUCCESS)
        return entries_of(draft.head, ended)
    key, reason = f"{ended.task}:{ended.attempt}", f"check: {task.check['expression']}"
    try:
        holds = draft.context.inspect(task, ended)
    except UnresolvedParameter as error:
        fail(draft, replace(ended, reason=f"check: {error}"), CHECK_FAILED)
        return ()
    if holds:
        draft.end(ended, TaskState.SUCCESS)
        return entries_of(draft.head, ended)
    if task.check.get("on_false") == "alert":
        draft.alert("check_failed", key, task=ended.task, reason=reason)
        draft.end(ended, TaskState.SUCCESS, reason=reason)
    else:
        draft.alert_if_asked("check_failed", key, task=ended.task, reason=reason)
        fail(draft, replace(ended, reason=reason), CHECK_FAILED)
    return ()


def _start(draft: Draft, attempt: TaskInstance) -> dict[str, Any]:
    """Return the changes that the first RUNNING (or what overtook it) makes."""
    if attempt.started_at is not None:
        return {}
    timeout_s = draft.definition(attempt.task).timeout_s
    now = draft.context.now
    due = now + timedelta(seconds=timeout_s) if timeout_s else None
    return {"started_at": now, "begun": attempt.dispatch, "timeout_at": due}


def _as_before(attempt: TaskInstance) -> dict[str, Any]:
    """Return the changes that take back what RUNNING noted of a hand-over that was not begun after all."""
    if attempt.begun != attempt.dispatch:
        return {}
    return {"started_at": None, "begun": None, "timeout_at": None}


def _place(event: TaskRunning | TaskResult) -> dict[str, Any]:
    """Return where the attempt runs and who owns it; a RESULT that knows less leaves what RUNNING said."""
    known = {
        "host": event.host,
        "pid": event.pid,
        "process_group": event.process_group,
        "log_path": event.log_path,
        "external_ids": event.external_ids,
    }
    told = {name: value for name, value in known.items() if value}
    return {"worker": event.worker, "incarnation": event.incarnation, "worker_clock": event.at, **told}


def _remembered(rejects: tuple[str, ...], living: int) -> tuple[str, ...]:
    """Return the rejects that a row keeps: rejects have no limit, a row has.

    A line that stands again later goes first, so that two reasons of each living worker always find room.
    """
    while len(rejects) > MOST_REJECTS + 2 * living:
        again = (index for index, line in enumerate(rejects) if line in rejects[index + 1 :])
        gone = next(again, 0)
        rejects = (*rejects[:gone], *rejects[gone + 1 :])
    return rejects


def _nobody_knows(rejected_by: tuple[str, ...], living: frozenset[str], reason: RejectReason) -> bool:
    """Whether every live worker of the group gave the attempt back as of unknown type, callable or bundle."""
    if reason not in UNKNOWN:
        return False
    ignorant = {line.partition(" ")[0] for line in rejected_by if line.partition(" ")[2] in UNKNOWN}
    return bool(living) and living <= ignorant  # nobody seen alive says nothing about who knows


def _group(instance: WorkflowInstance, task: str) -> str:
    return instance.graph.tasks[task].worker_group or instance.head.worker_group
