"""Owns what decides the tasks that no worker gets: judgements, signals, and the end of waiting for one."""

from collections.abc import Mapping
from typing import Any

from orchestrator.core import types
from orchestrator.core.convergence import converge
from orchestrator.core.definition import TaskDefinition
from orchestrator.core.dependence import Verdict, waits_for
from orchestrator.core.draft import Draft
from orchestrator.core.handlers.token import noticed_attempt
from orchestrator.core.instance import TaskInstance
from orchestrator.core.logic import APPROVAL
from orchestrator.core.notice import Judged, Looked, Withdrawn
from orchestrator.core.run import STOPPED_REASON, WorkflowInstance, is_doomed, is_held
from orchestrator.core.status import TaskState
from orchestrator.core.transition import Context, Transition
from orchestrator.errors import Conflict, RepeatedEvent


def handle_judged(instance: WorkflowInstance, notice: Judged, context: Context) -> Transition:
    """End a switch with the branch that its expressions chose."""
    attempt = noticed_attempt(instance, notice)
    if attempt.state is not TaskState.SUBMITTED:
        raise RepeatedEvent(f"{notice.task}: {attempt.state} waits for no judgement")
    draft = Draft(instance, context)
    draft.end(attempt, TaskState.SUCCESS, started_at=context.now, taken=notice.taken)
    converge(draft)
    return draft.transition()


def handle_looked(instance: WorkflowInstance, notice: Looked, context: Context) -> Transition:
    """End a dependent task whose dependencies are met, or cannot be any more, or not in time; else note why."""
    attempt = noticed_attempt(instance, notice)
    if attempt.state is not TaskState.RUNNING:
        raise RepeatedEvent(f"{notice.task}: {attempt.state} waits for nobody")
    draft = Draft(instance, context)
    over = attempt.timeout_at is not None and attempt.timeout_at <= context.now
    if notice.found is Verdict.MET:
        draft.end(attempt, TaskState.SUCCESS, timeout_at=None, reason=None)
    elif notice.found is Verdict.FAILED:
        draft.end(attempt, TaskState.FAILURE, reason=f"not met: {notice.reason}")
    elif over:
        wait_s = draft.definition(attempt.task).spec["wait"]
        draft.alert("task_timeout", f"{attempt.task}:{attempt.attempt}", task=attempt.task, timeout_s=wait_s)
        draft.end(attempt, TaskState.FAILURE, reason=f"not met in {wait_s:g} s: {notice.reason}")
    elif attempt.reason == waits_for(notice.reason):
        raise RepeatedEvent(f"{notice.task}: waits for the same as before")
    else:
        draft.update(attempt, reason=waits_for(notice.reason))
    converge(draft)
    return draft.transition()


def handle_withdrawn(instance: WorkflowInstance, notice: Withdrawn, context: Context) -> Transition:
    """Kill what only the master has if the run is to end; hold what has not begun if it is to pause."""
    attempt = noticed_attempt(instance, notice)
    draft = Draft(instance, context)
    if is_doomed(draft.head, draft.definition(attempt.task)):
        draft.end(attempt, TaskState.KILLED, reason=STOPPED_REASON)
    elif is_held(draft.head, attempt.task) and attempt.state is TaskState.SUBMITTED:
        draft.update(attempt, state=TaskState.PAUSED)
    else:
        raise RepeatedEvent(f"{notice.task}: nothing wants it back any more")
    converge(draft)
    return draft.transition()


def handle_signal(instance: WorkflowInstance, body: Mapping[str, Any], context: Context) -> Transition:
    """Let an approval succeed with the data of a person's or a program's signal.

    Args:
        instance: The run.
        body: `task`, and `outputs` by name.
        context: Of the moment.

    Raises:
        RepeatedEvent: The same signal came before.
        Conflict: The task is no approval, does not wait, or the data do not fit its declared outputs.
    """
    name, outputs = str(body.get("task")), dict(body.get("outputs") or {})
    task = instance.graph.tasks.get(name)
    number = instance.head.id
    if task is None or task.type != APPROVAL:
        raise Conflict(f"run {number} has no approval task '{name}'")
    attempt = instance.attempts.get(name)
    if attempt is not None and attempt.state is TaskState.SUCCESS and attempt.outputs == outputs:
        raise RepeatedEvent(f"{name}: signalled before")
    if attempt is None or attempt.state is not TaskState.RUNNING:
        state = "has not been reached" if attempt is None else f"is {attempt.state}"
        raise Conflict(f"run {number}: '{name}' {state}: it waits for no signal")
    draft = Draft(instance, context)
    draft.end(attempt, TaskState.SUCCESS, outputs=checked(task, outputs), timeout_at=None, reason=None)
    converge(draft)
    return draft.transition()


def approval_timeout(draft: Draft, attempt: TaskInstance) -> Transition:
    """End an approval that nobody gave in time: with its default data, or as a failure."""
    task = draft.definition(attempt.task)
    if attempt.timeout_at is None or attempt.timeout_at > draft.context.now:
        raise RepeatedEvent(f"{attempt.task}: no timeout is due")
    default = task.spec.get("default")
    if default is not None:
        draft.end(attempt, TaskState.SUCCESS, outputs=default, reason="default: no signal in time")
    else:
        key = f"{attempt.task}:{attempt.attempt}"
        draft.alert("task_timeout", key, task=attempt.task, timeout_s=task.timeout_s)
        draft.end(attempt, TaskState.FAILURE, reason="timeout")
    converge(draft)
    return draft.transition()


def checked(task: TaskDefinition, outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return a signal's data in the types that the approval declares; without a declaration, as they are.

    Raises:
        Conflict: A declared value is missing or of another type, or one is not declared.
    """
    if not task.outputs:
        return dict(outputs)
    if unknown := sorted(outputs.keys() - task.outputs.keys()):
        raise Conflict(f"'{task.name}' declares no output '{unknown[0]}': {', '.join(task.outputs)}")
    if missing := [name for name in task.outputs if name not in outputs]:
        raise Conflict(f"the signal for '{task.name}' needs a value for '{missing[0]}'")
    try:
        return {name: types.check(outputs[name], kind) for name, kind in task.outputs.items()}
    except types.TypeMismatch as error:
        raise Conflict(f"the signal for '{task.name}': {error}") from None
