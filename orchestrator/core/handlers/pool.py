"""Owns what a run does when one of its attempts gets a slot of its pool, gives way, or stands in line again."""

from collections.abc import Mapping
from typing import Any

from orchestrator.core.draft import Draft
from orchestrator.core.handlers.token import noticed_attempt
from orchestrator.core.notice import Served, Unserved
from orchestrator.core.pool import GIVES_WAY, gives_way, waits_for_slot
from orchestrator.core.run import WorkflowInstance
from orchestrator.core.transition import Context, Transition
from orchestrator.errors import RepeatedEvent


def handle_granted(instance: WorkflowInstance, body: Mapping[str, Any], context: Context) -> Transition:
    """Let an attempt go that has its slot now: from here on it is dispatched like any other.

    Args:
        instance: The run.
        body: `task` and `attempt`, and `line_up`: for which of its times in line the slot was given. A grant of
            a version that did not count them is of the time before the first that was counted.
        context: Of the moment.

    Raises:
        RepeatedEvent: That attempt waits for no slot any more, or for another one: what it had was given back when
            it left the line.
    """
    attempt = instance.attempts.get(str(body.get("task")))
    if attempt is None or attempt.attempt != body.get("attempt"):
        raise RepeatedEvent(f"{body.get('task')}: attempt {body.get('attempt')} is over")
    if not waits_for_slot(instance.graph.tasks[attempt.task], attempt):
        raise RepeatedEvent(f"{attempt.task}: {attempt.state} does not wait for a slot")
    if attempt.line_ups != body.get("line_up", 0):
        raise RepeatedEvent(f"{attempt.task}: left the line since, and stands in it once more")
    draft = Draft(instance, context)
    draft.update(attempt, reason=None)
    return draft.transition()


def handle_unserved(instance: WorkflowInstance, notice: Unserved, context: Context) -> Transition:
    """Let an attempt leave the line of its pool: nobody could run it, and others can use the slot.

    Raises:
        RepeatedEvent: It stands in no line any more.
    """
    attempt = noticed_attempt(instance, notice)
    if not waits_for_slot(instance.graph.tasks[attempt.task], attempt):
        raise RepeatedEvent(f"{notice.task}: {attempt.state} does not wait for a slot")
    draft = Draft(instance, context)
    draft.update(attempt, reason=GIVES_WAY)
    return draft.transition()


def handle_served(instance: WorkflowInstance, notice: Served, context: Context) -> Transition:
    """Let an attempt that gave way stand in line again, by its age.

    Raises:
        RepeatedEvent: It does not give way any more.
    """
    attempt = noticed_attempt(instance, notice)
    if not gives_way(instance.graph.tasks[attempt.task], attempt):
        raise RepeatedEvent(f"{notice.task}: {attempt.state} does not give way")
    draft = Draft(instance, context)
    draft.update(attempt, reason=None)
    return draft.transition()
