"""Owns what a run does about its children: letting one begin, and hearing that one was paused or has ended."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from orchestrator.core import types
from orchestrator.core.command import GIVEN_UP, CommandKind
from orchestrator.core.convergence import converge
from orchestrator.core.draft import Draft
from orchestrator.core.handlers.report import fail
from orchestrator.core.handlers.token import noticed_attempt
from orchestrator.core.instance import TaskInstance
from orchestrator.core.notice import ChildReady
from orchestrator.core.passing_on import asked_of_child, go_on
from orchestrator.core.run import WorkflowInstance
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.core.transition import Context, Transition
from orchestrator.errors import RepeatedEvent

MOST_OUTPUT_BYTES = 64 * 1024
"""The limit of every task's outputs."""


def handle_child_ready(instance: WorkflowInstance, notice: ChildReady, context: Context) -> Transition:
    """Let the child begin in the transaction in which its task does: there is never one without the other."""
    attempt = noticed_attempt(instance, notice)
    draft = Draft(instance, context)
    task = draft.definition(attempt.task)
    if attempt.state is not TaskState.SUBMITTED or asked_of_child(draft.head, task) is not CommandKind.RESUME:
        raise RepeatedEvent(f"{notice.task}: {attempt.state} is not to begin now")
    draft.bear(notice.child)
    draft.update(
        attempt,
        state=TaskState.RUNNING,
        child=notice.child.id,
        started_at=context.now,
        timeout_at=draft.due(task.timeout_s) if task.timeout_s else None,
        reason=None,
    )
    return draft.transition()


def handle_child_changed(instance: WorkflowInstance, body: Mapping[str, Any], context: Context) -> Transition:
    """Follow a child that is paused or has ended; any other state of it means nothing.

    Args:
        instance: The parent.
        body: `task` and `child`, and how the child stands, as the master has just read it: `state` (`None`: it is
            gone), `reason`, `outputs`, `fault`, why it has none, and `is_to_recover`, whether the parent's RECOVER
            waits for it: then this is an end that an attempt before has had, and another look will follow;
            `given_up`, if a person buried the word of it: then an end is not taken over.
        context: Of the moment.

    Raises:
        RepeatedEvent: The task does not wait for this child, or the child goes on.
    """
    attempt = instance.attempts.get(str(body.get("task")))
    child = body.get("child")
    if attempt is None or attempt.child != child or attempt.state is not TaskState.RUNNING:
        raise RepeatedEvent(f"{body.get('task')}: does not wait for run {child}")
    if body.get("is_to_recover"):
        raise RepeatedEvent(f"{attempt.task}: run {child} is to run again")
    draft = Draft(instance, context)
    match body.get("state"):
        case WorkflowState.PAUSED:
            _hold(draft, attempt)
        case WorkflowState.SUCCESS | WorkflowState.FAILURE if GIVEN_UP in body:
            reason = f"its run {child} ended {body['state']}, but the word of it was {body[GIVEN_UP]}"
            draft.end(attempt, TaskState.FAILURE, reason=reason)
        case WorkflowState.SUCCESS:
            _succeed(draft, attempt, body)
        case WorkflowState.FAILURE:
            _fail(draft, attempt, f"its run {child} failed", body.get("reason"))
        case WorkflowState.STOPPED:
            draft.end(attempt, TaskState.KILLED, reason=f"its run {child} was stopped")
        case None:
            _fail(draft, attempt, f"its run {child} does not exist any more")
        case state:
            raise RepeatedEvent(f"{attempt.task}: run {child} is {state}")
    converge(draft)
    return draft.transition()


def handle_pass_on(instance: WorkflowInstance, body: Mapping[str, Any], context: Context) -> Transition:
    """Ask the next children, in the order of their tasks, for what the last step could not ask of all.

    Args:
        instance: The parent.
        body: As `core.passing_on` wrote it.
        context: Of the moment.

    Raises:
        RepeatedEvent: Nobody is left to be asked: what the run asks by now, it asks in another word.
    """
    draft = Draft(instance, context)
    mail = list(go_on(instance, body, context.row_limit))
    if not mail:
        raise RepeatedEvent(f"run {instance.head.id}: this word has reached whom it concerns")
    for one in mail:
        draft.mail(one)
    return draft.transition()


def _hold(draft: Draft, attempt: TaskInstance) -> None:
    """Let the attempt be paused with its child, if that was asked for; a person may pause it, too."""
    if asked_of_child(draft.head, draft.definition(attempt.task)) is not CommandKind.PAUSE:
        raise RepeatedEvent(f"{attempt.task}: nobody asked run {attempt.child} to pause")
    draft.update(attempt, state=TaskState.PAUSED, timeout_at=None)


def _succeed(draft: Draft, attempt: TaskInstance, body: Mapping[str, Any]) -> None:
    outputs = dict(body.get("outputs") or {})
    fault = body.get("fault") or _fault_of(draft.definition(attempt.task).outputs, outputs)
    if fault is not None:
        _fail(draft, attempt, f"outputs of its run {attempt.child}", fault)
    else:
        draft.end(attempt, TaskState.SUCCESS, outputs=outputs)


def _fail(draft: Draft, attempt: TaskInstance, what: str, why: object = None) -> None:
    """Try it again with a new child while it has retries, else let it be FAILURE."""
    reason = what if why is None else f"{what}: {why}"
    fail(draft, replace(attempt, reason=reason), None)


def _fault_of(declared: Mapping[str, str], outputs: Mapping[str, Any]) -> str | None:
    """Return why the outputs of a child cannot be those of its task; `None` if they can."""
    size = len(json.dumps(outputs, ensure_ascii=False).encode())
    if size > MOST_OUTPUT_BYTES:
        return f"{size} bytes, at most {MOST_OUTPUT_BYTES}"
    for name, kind in declared.items():
        if outputs.get(name) is None:
            return f"'{name}' is declared and missing"
        try:
            types.check(outputs[name], kind)
        except types.TypeMismatch as error:
            return f"'{name}': {error}"
    return None
