"""Owns what a look into the cache means: a hit ends the attempt, a miss lets it go out under its key."""

from dataclasses import replace

from orchestrator.core.cache import CachedOutputs
from orchestrator.core.convergence import converge
from orchestrator.core.draft import Draft
from orchestrator.core.handlers.token import noticed_attempt
from orchestrator.core.instance import TaskInstance
from orchestrator.core.notice import CacheLooked
from orchestrator.core.run import WorkflowInstance, is_doomed, is_held
from orchestrator.core.status import TaskState
from orchestrator.core.transition import Context, Transition
from orchestrator.errors import RepeatedEvent, UnresolvedParameter


def handle_cache_looked(instance: WorkflowInstance, notice: CacheLooked, context: Context) -> Transition:
    """End an attempt with the outputs that are kept, or note the key under which its own will be kept.

    Raises:
        RepeatedEvent: The attempt is not to go out any more, or its key is noted already.
    """
    attempt = noticed_attempt(instance, notice)
    task = instance.graph.tasks[attempt.task]
    if attempt.state is not TaskState.SUBMITTED or attempt.cache_key == notice.key:
        raise RepeatedEvent(f"{notice.task}: {attempt.state}, its key is {attempt.cache_key!r}")
    if is_doomed(instance.head, task) or is_held(instance.head, attempt.task):
        raise RepeatedEvent(f"{notice.task}: it is to be taken back")
    draft = Draft(instance, context)
    if notice.found is None or not _passes(draft, attempt, notice.found):
        draft.update(attempt, cache_key=notice.key)
    else:
        found = notice.found
        reason = f"from cache of run {found.workflow_instance_id}"
        draft.end(attempt, TaskState.SUCCESS, started_at=context.now, outputs=found.outputs, reason=reason)
    converge(draft)
    return draft.transition()


def _passes(draft: Draft, attempt: TaskInstance, found: CachedOutputs) -> bool:
    """Return whether the task's check holds on these outputs, too: it may look at more than its inputs."""
    task = draft.definition(attempt.task)
    if task.check is None:
        return True
    try:
        return draft.context.inspect(task, replace(attempt, outputs=found.outputs))
    except UnresolvedParameter:
        return False
