"""Owns what becomes of a map: its list is known, or the outputs of its elements are."""

from orchestrator.core.command import CommandKind
from orchestrator.core.convergence import converge
from orchestrator.core.draft import Draft
from orchestrator.core.elements import gathers, with_extent
from orchestrator.core.handlers.token import noticed_attempt
from orchestrator.core.maps import spread
from orchestrator.core.notice import Gathered, Spread
from orchestrator.core.passing_on import asked_of_child
from orchestrator.core.run import WorkflowInstance
from orchestrator.core.status import TaskState
from orchestrator.core.transition import Context, Transition
from orchestrator.errors import RepeatedEvent


def handle_spread(instance: WorkflowInstance, notice: Spread, context: Context) -> Transition:
    """Let a map have its elements, and the first of them begin; one without any has succeeded."""
    attempt = noticed_attempt(instance, notice)
    draft = Draft(instance, context)
    asked = asked_of_child(draft.head, draft.definition(attempt.task))
    if attempt.state is not TaskState.SUBMITTED or asked is not CommandKind.RESUME:
        raise RepeatedEvent(f"{notice.task}: {attempt.state} is not to begin now")
    if notice.total == 0:
        draft.end(attempt, TaskState.SUCCESS, started_at=context.now, outputs=notice.outputs)
    else:
        extent = with_extent(notice.total)
        draft.update(attempt, state=TaskState.RUNNING, started_at=context.now, external_ids=extent)
        spread(draft, attempt.task, notice.total)
    converge(draft)
    return draft.transition()


def handle_gathered(instance: WorkflowInstance, notice: Gathered, context: Context) -> Transition:
    """End a map whose elements have all succeeded, with their outputs, or with why there can be none."""
    attempt = noticed_attempt(instance, notice)
    if not gathers(attempt):
        raise RepeatedEvent(f"{notice.task}: {attempt.state} gathers nothing")
    draft = Draft(instance, context)
    if notice.fault is None:
        draft.end(attempt, TaskState.SUCCESS, reason=None, outputs=notice.outputs)
    else:
        draft.end(attempt, TaskState.FAILURE, reason=notice.fault)
    converge(draft)
    return draft.transition()
