"""Owns what the commands mean: start, pause, resume, stop; each is idempotent."""

from datetime import timedelta

from orchestrator.core.command import GIVEN_UP, Command
from orchestrator.core.convergence import converge
from orchestrator.core.draft import Draft
from orchestrator.core.elements import group_of
from orchestrator.core.family import is_mail
from orchestrator.core.run import STOPPED_REASON, WorkflowInstance, is_stopping
from orchestrator.core.serial import HOLDS
from orchestrator.core.status import TASK_FINAL, WORKFLOW_FINAL, TaskState, WorkflowState
from orchestrator.core.transition import Context, Transition
from orchestrator.errors import Conflict, RepeatedEvent

W = WorkflowState


def handle_start(instance: WorkflowInstance, command: Command, context: Context) -> Transition:
    """Make the run RUNNING with its roots submitted, or let it wait for its turn.

    The START of a started run is a harmless duplicate. A run whose START a person gave up ends: it never begins.
    """
    if instance.head.state is not W.SUBMITTED:
        raise RepeatedEvent(f"run {instance.head.id}: already {instance.head.state}")
    draft = Draft(instance, context)
    if GIVEN_UP in command.body:
        end_unstartable(draft, f"its START was {command.body[GIVEN_UP]}")
    else:
        _begin_or_wait(draft, instance)
    return draft.transition()


def end_unstartable(draft: Draft, reason: str) -> None:
    """End a run that has not begun and never will, with the reason; people are told."""
    draft.set_head(state=W.FAILURE, ended_at=draft.context.now, reason=reason)
    draft.alert("workflow_failure", "", reason=reason)


def handle_wake(instance: WorkflowInstance, command: Command, context: Context) -> Transition:
    """Begin, now that it is the run's turn; a WAKE that was overtaken, by a pause for instance, is a repeat."""
    head = instance.head
    if head.state is not W.WAITING or not command.body.get(HOLDS):
        raise RepeatedEvent(f"run {head.id}: {head.state}, and it is not its turn")
    draft = Draft(instance, context)
    draft.set_head(state=W.SUBMITTED)
    draft.take_turn()
    _begin(draft, instance)
    converge(draft)
    return draft.transition()


def handle_pause(instance: WorkflowInstance, command: Command, context: Context) -> Transition:
    """Let nothing new start; what waits in the broker is recalled, what runs ends. Or only one task (`task`)."""
    task = _task_of(instance, command, "pause")
    if task is not None:
        return _pause_task(instance, task, context)
    head = instance.head
    _refuse_if_stopping(instance, "pause")
    if head.state in (W.PAUSING, W.PAUSED):
        raise RepeatedEvent(f"run {head.id}: already {head.state}")
    refuse_unless(instance, "pause", W.RUNNING, W.SUBMITTED, W.WAITING)
    draft = Draft(instance, context)
    state = W.PAUSING if head.state is W.RUNNING else W.PAUSED
    draft.set_head(state=state, paused_at=context.now)
    converge(draft)
    return draft.transition()


def handle_resume(instance: WorkflowInstance, command: Command, context: Context) -> Transition:
    """Go on with the same rows; paused time does not count for the run's timeout. Or only one task (`task`).

    A task that was paused by name stays so when its run is resumed.
    """
    task = _task_of(instance, command, "resume")
    if task is not None:
        return _resume_task(instance, task, context)
    head = instance.head
    if head.state in (W.RUNNING, W.WAITING):
        raise RepeatedEvent(f"run {head.id}: already {head.state}")
    _refuse_if_stopping(instance, "resume")
    refuse_unless(instance, "resume", W.PAUSED, W.PAUSING)
    draft = Draft(instance, context)
    if not head.has_turn and not (head.dry_run and head.started_at):
        _begin_or_wait(draft, instance)
        return draft.transition()
    paused = context.now - head.paused_at if head.paused_at else timedelta()
    due = head.timeout_at + paused if head.timeout_at else None
    draft.set_head(state=W.RUNNING, paused_at=None, timeout_at=due)
    converge(draft)
    return draft.transition()


def handle_stop(instance: WorkflowInstance, command: Command, context: Context) -> Transition:
    """Kill what runs, recall what waits, start nothing more; the body may say why."""
    head = instance.head
    if is_stopping(head) or head.state is W.STOPPED:
        raise RepeatedEvent(f"run {head.id}: already {head.state}")
    refuse_unless(instance, "stop", W.RUNNING, W.PAUSING, W.SUBMITTED, W.WAITING, W.PAUSED)
    draft = Draft(instance, context)
    why = command.body.get("reason")
    reason = why if isinstance(why, str) and why.startswith(STOPPED_REASON) else STOPPED_REASON
    if head.state in (W.SUBMITTED, W.WAITING):
        _end_unstarted(draft, reason)
    elif head.state is W.PAUSED:
        draft.set_head(paused_at=None, reason=reason)
    else:
        draft.set_head(state=W.STOPPING, paused_at=None, reason=None if reason == STOPPED_REASON else reason)
    converge(draft)
    return draft.transition()


def _end_unstarted(draft: Draft, reason: str) -> None:
    """End a run that has nothing under way: at most attempts that were to go on with their children."""
    held = list(draft.waiting((TaskState.PAUSED,)))
    draft.set_head(state=W.STOPPED, ended_at=draft.context.now, reason=reason)
    for attempt in held:
        draft.end(attempt, TaskState.KILLED, reason=STOPPED_REASON)


def _begin_or_wait(draft: Draft, instance: WorkflowInstance) -> None:
    """Begin, or wait for the turn: it is asked for in the transaction in which the run is WAITING."""
    if draft.needs_turn:
        draft.set_head(state=W.WAITING, paused_at=None)
        return
    _begin(draft, instance)
    converge(draft)


def _pause_task(instance: WorkflowInstance, task: str, context: Context) -> Transition:
    """Hold a task when it is ready: it is recalled where it waits, and what runs of it ends."""
    attempt = instance.attempts.get(task)
    if task in instance.head.held:
        raise RepeatedEvent(f"{task}: already held")
    if attempt is not None and attempt.state in TASK_FINAL:
        raise Conflict(
            f"run {instance.head.id}: {task} has ended {attempt.state}: it cannot be asked to pause"
        )
    return _held(instance, (*instance.head.held, task), context)


def _resume_task(instance: WorkflowInstance, task: str, context: Context) -> Transition:
    if task not in instance.head.held:
        raise RepeatedEvent(f"{task}: not held")
    return _held(instance, tuple(one for one in instance.head.held if one != task), context)


def _held(instance: WorkflowInstance, names: tuple[str, ...], context: Context) -> Transition:
    """Let exactly these tasks be held."""
    draft = Draft(instance, context)
    draft.set_head(held=names)
    converge(draft)
    return draft.transition()


def _task_of(instance: WorkflowInstance, command: Command, verb: str) -> str | None:
    """Return the one task that a person's command is about; `None`: the whole run.

    Raises:
        Conflict: The run is ending or has ended, or has no such task.
    """
    task = command.body.get("task")
    if task is None or is_mail(command):  # a parent's mail names the parent's task
        return None
    _refuse_if_stopping(instance, verb)
    refuse_unless(instance, verb, W.SUBMITTED, W.WAITING, W.RUNNING, W.PAUSING, W.PAUSED)
    if task not in instance.graph.tasks:
        raise Conflict(f"run {instance.head.id} has no task '{task}' that could run")
    if group_of(task) is not None:
        raise Conflict(
            f"run {instance.head.id}: {task} is an element; a map can be asked to {verb} as a whole"
        )
    return str(task)


def _begin(draft: Draft, instance: WorkflowInstance) -> None:
    """Make the run RUNNING; only now its time begins to count, however long it has waited for its turn."""
    timeout_s = instance.definition.timeout_s
    draft.set_head(
        state=W.RUNNING,
        has_turn=not draft.head.dry_run,
        started_at=draft.head.started_at or draft.context.now,
        timeout_at=draft.due(timeout_s) if timeout_s else None,
        paused_at=None,
    )


def _refuse_if_stopping(instance: WorkflowInstance, verb: str) -> None:
    """Raise Conflict if a stop is under way."""
    if is_stopping(instance.head):
        raise Conflict(
            f"run {instance.head.id} is {instance.head.state} and being stopped: it cannot be asked to {verb}"
        )


def refuse_unless(instance: WorkflowInstance, verb: str, *states: WorkflowState) -> None:
    """Raise Conflict unless the run is in one of `states`."""
    state = instance.head.state
    if state not in states:
        what = "has ended" if state in WORKFLOW_FINAL else "is"
        raise Conflict(f"run {instance.head.id} {what} {state}: it cannot be asked to {verb}")
