"""Owns what a run does when one of its attempts has got a slot of its pool."""

from collections.abc import Mapping
from typing import Any

from orchestrator.core.draft import Draft
from orchestrator.core.pool import waits_for_slot
from orchestrator.core.run import WorkflowInstance
from orchestrator.core.transition import Context, Transition
from orchestrator.errors import RepeatedEvent


def handle_granted(instance: WorkflowInstance, body: Mapping[str, Any], context: Context) -> Transition:
    """Let an attempt go that has its slot now: from here on it is dispatched like any other.

    Args:
        instance: The run.
        body: `task` and `attempt`.
        context: Of the moment.

    Raises:
        RepeatedEvent: That attempt waits for no slot any more; what it had was given back when it left the line.
    """
    attempt = instance.attempts.get(str(body.get("task")))
    if attempt is None or attempt.attempt != body.get("attempt"):
        raise RepeatedEvent(f"{body.get('task')}: attempt {body.get('attempt')} is over")
    if not waits_for_slot(instance.graph.tasks[attempt.task], attempt):
        raise RepeatedEvent(f"{attempt.task}: {attempt.state} does not wait for a slot")
    draft = Draft(instance, context)
    draft.update(attempt, reason=None)
    return draft.transition()
