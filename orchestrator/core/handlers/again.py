"""Owns what runs again after a run has ended: recover, rerun, and the success that a person declares."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from orchestrator.core.branches import named_by_conditions
from orchestrator.core.command import Command
from orchestrator.core.convergence import begin_with_child, begin_with_elements, converge
from orchestrator.core.dag import ancestors, with_descendants
from orchestrator.core.draft import Draft
from orchestrator.core.elements import extent_of, group_of
from orchestrator.core.handlers.control import refuse_unless
from orchestrator.core.instance import TaskInstance
from orchestrator.core.maps import elements_of, is_map
from orchestrator.core.node import Outcome
from orchestrator.core.run import WorkflowInstance
from orchestrator.core.status import WORKFLOW_FINAL, TaskState, WorkflowState
from orchestrator.core.transition import Context, Transition
from orchestrator.errors import Conflict, RepeatedEvent

W = WorkflowState
FORCIBLE = frozenset({TaskState.FAILURE, TaskState.KILLED})


def handle_recover(instance: WorkflowInstance, command: Command, context: Context) -> Transition:
    """Run again what failed, was killed or was not run, and everything behind it; the rest stays.

    A command that speaks of an earlier `run_count` was overtaken by one like it, and is a repeat.
    """
    head = instance.head
    seen = _number(command, "run_count")
    overtaken = seen is not None and seen < head.run_count
    if overtaken or (head.state in (W.RUNNING, W.WAITING) and head.run_count > 1):
        raise RepeatedEvent(f"run {head.id}: already run again, {head.state}")
    refuse_unless(instance, "recover", W.FAILURE, W.STOPPED)
    draft = Draft(instance, context)
    _begin_again(draft, instance)
    draft.renew()  # what is not run in this new beginning, either, is no reason to run again what is behind it
    unsuccessful = _unsuccessful(draft, instance)
    again = with_descendants(instance.graph, unsuccessful)
    kept = [attempt for task in unsuccessful if (attempt := _to_keep(instance, task, again)) is not None]
    _run_again(draft, again, kept)
    return draft.transition()


def handle_rerun(instance: WorkflowInstance, command: Command, context: Context) -> Transition:
    """Run again everything, one task and all behind it (`from`), or one task (`only`).

    Start parameters in the body replace those of the same names. What never ran is not held back: it follows
    when its trigger says so.
    """
    head = instance.head
    seen = _number(command, "run_count")
    if seen is not None and seen < head.run_count:  # a recover, or a rerun of something else, came first
        raise Conflict(
            f"run {head.id} was run again meanwhile: it cannot be asked to rerun what it was before"
        )
    refuse_unless(instance, "rerun", *sorted(WORKFLOW_FINAL))
    draft = Draft(instance, context)
    tasks = _to_rerun(instance, command)
    _begin_again(draft, instance, params={**head.params, **_mapping(command, "params")})
    _run_again(draft, tasks)
    return draft.transition()


def handle_force_success(instance: WorkflowInstance, command: Command, context: Context) -> Transition:
    """Declare a failed or killed task of an ended run a success; the state of the run stays."""
    refuse_unless(instance, "force a success", *sorted(WORKFLOW_FINAL))
    attempt = _named_attempt(instance, command)
    if attempt.state is TaskState.FORCED_SUCCESS:
        raise RepeatedEvent(f"{attempt.task}: already {attempt.state}")
    if attempt.state not in FORCIBLE:
        raise Conflict(
            f"run {instance.head.id}: {attempt.task} is {attempt.state}; only FAILURE and KILLED can be forced"
        )
    draft = Draft(instance, context)
    draft.update(attempt, state=TaskState.FORCED_SUCCESS, outputs=_mapping(command, "outputs"))
    draft.renew()
    return draft.transition()


# --- which tasks -----------------------------------------------------------------------------


def _unsuccessful(draft: Draft, instance: WorkflowInstance) -> list[str]:
    """Return what recover runs again for its own sake.

    A failure that a `conditions` task absorbed stays one, and what it blocks stays not-run; what another
    failure blocks stands behind that failure. What a stop killed before its conditions task had looked was
    no failure that anybody absorbed.
    """
    looked = (one for one in instance.attempts.values() if one.state is TaskState.SUCCESS)
    looked_at = named_by_conditions(instance.graph.tasks[one.task] for one in looked)
    return [task for task in instance.graph.order if _needs_recovery(draft, instance, task, looked_at)]


def _needs_recovery(draft: Draft, instance: WorkflowInstance, task: str, looked_at: AbstractSet[str]) -> bool:
    attempt = instance.attempts.get(task)
    if attempt is None:
        return draft.outcome(task) is not Outcome.NOT_RUN
    if attempt.state is TaskState.KILLED:
        return task not in looked_at
    return attempt.state is TaskState.FAILURE and task not in instance.graph.absorbed


def _to_rerun(instance: WorkflowInstance, command: Command) -> Iterable[str]:
    start, only = _text(command, "from"), _text(command, "only")
    if start is not None and only is not None:
        raise Conflict(f"run {instance.head.id}: rerun takes `from` or `only`, not both")
    for name in (start, only):
        if name is not None and (group := group_of(name)) is not None:
            raise Conflict(f"'{name}' is an element of a map: rerun '{group}', or recover the run")
    if start is not None:
        return with_descendants(instance.graph, [_known(instance, start)])
    return instance.graph.order if only is None else [_known(instance, only)]


def _named_attempt(instance: WorkflowInstance, command: Command) -> TaskInstance:
    task = _known(instance, _text(command, "task") or "")
    attempt = instance.attempts.get(task)
    if attempt is None:
        raise Conflict(f"run {instance.head.id}: {task} was not run; there is nothing to force")
    if _number(command, "attempt") not in (None, attempt.attempt):
        raise Conflict(f"run {instance.head.id}: {task} was run again meanwhile, attempt {attempt.attempt}")
    return attempt


def _known(instance: WorkflowInstance, task: str) -> str:
    if task not in instance.graph.tasks:
        raise Conflict(f"run {instance.head.id} has no task '{task}' that could run")
    return task


# --- beginning again -------------------------------------------------------------------------


def _begin_again(draft: Draft, instance: WorkflowInstance, **changes: Any) -> None:
    """Make the run RUNNING once more, with its whole time, or let it wait for its turn.

    `changes` are of its head.
    """
    head, timeout_s, waits = instance.head, instance.definition.timeout_s, draft.needs_turn
    draft.set_head(
        state=W.WAITING if waits else W.RUNNING,
        has_turn=not (waits or head.dry_run),
        run_count=head.run_count + 1,
        started_at=head.started_at if waits else head.started_at or draft.context.now,
        ended_at=None,
        paused_at=None,
        timeout_at=draft.due(timeout_s) if timeout_s and not waits else None,
        timed_out=False,
        ending=False,
        held=(),
        reason=None,
        **changes,
    )


def _to_keep(instance: WorkflowInstance, task: str, again: AbstractSet[str]) -> TaskInstance | None:
    """Return the attempt of a task whose child or elements are to be recovered: nothing before it runs again."""
    attempt = instance.attempts.get(task)
    if attempt is None or not again.isdisjoint(instance.graph.upstream[task]):
        return None
    if attempt.child is None and (extent_of(attempt) is None or _has_newer_inputs(instance, attempt)):
        return None
    return attempt


def _has_newer_inputs(instance: WorkflowInstance, group: TaskInstance) -> bool:
    """Return whether something before a map has run again since: its list may be another one now."""
    before = (instance.attempts.get(name) for name in ancestors(instance.graph, group.task))
    return any(one is not None and one.sequence > group.sequence for one in before)


def _run_again(draft: Draft, tasks: Iterable[str], kept: Iterable[TaskInstance] = ()) -> None:
    """Let these tasks have no attempt, and take the first step of what follows from that.

    Args:
        draft: The transition.
        tasks: What runs again.
        kept: Attempts of them whose next one goes on with the same child, or the same elements.
    """
    keeping = {attempt.task: attempt for attempt in kept}
    for task in tasks:
        attempt = draft.attempt(task)
        if attempt is not None:
            draft.withdraw(attempt)
        if attempt is not None and is_map(draft, task) and task not in keeping:
            for element in elements_of(draft, attempt):
                draft.withdraw(element)
    for attempt in keeping.values():
        begin_again = begin_with_child if attempt.child is not None else begin_with_elements
        begin_again(draft, attempt)
    draft.renew()
    converge(draft)


# --- what a body says ------------------------------------------------------------------------


def _number(command: Command, name: str) -> int | None:
    value = command.body.get(name)
    if value is not None and not isinstance(value, int):
        raise _unreadable(command, name, value)
    return value


def _text(command: Command, name: str) -> str | None:
    value = command.body.get(name)
    if value is not None and not isinstance(value, str):
        raise _unreadable(command, name, value)
    return value


def _mapping(command: Command, name: str) -> Mapping[str, Any]:
    value = command.body.get(name)
    if value is not None and not isinstance(value, Mapping):
        raise _unreadable(command, name, value)
    return dict(value or {})


def _unreadable(command: Command, name: str, value: object) -> Conflict:
    kind = str(command.kind).lower()
    return Conflict(f"{kind} cannot be read: its '{name}' is a {type(value).__name__}")
