"""Owns the mail between a run and its children: what each asks of the other, and what it tells it."""

from collections.abc import Iterable, Iterator, Mapping

from orchestrator.core.command import Command, CommandKind, Mail
from orchestrator.core.definition import TaskDefinition
from orchestrator.core.instance import Head, TaskInstance
from orchestrator.core.run import WorkflowInstance, is_doomed, is_held
from orchestrator.core.serial import is_from_turns
from orchestrator.core.status import TASK_FINAL, WORKFLOW_FINAL, TaskState, WorkflowState

TOLD = frozenset({WorkflowState.PAUSED, *WORKFLOW_FINAL})
"""States of a child that its parent is told of."""


def asked_of_child(head: Head, task: TaskDefinition) -> CommandKind:
    """Return what the state of a run asks of the child of one of its tasks.

    Args:
        head: The parent's row.
        task: The parent's task.
    """
    if is_doomed(head, task):
        return CommandKind.STOP
    held = is_held(head, task.name) or head.state is WorkflowState.PAUSED
    return CommandKind.PAUSE if held else CommandKind.RESUME


def family_mail(
    run: WorkflowInstance,
    after: Head,
    changed: Mapping[str, TaskInstance | None],
    born: Iterable[Head],
) -> Iterator[Mail]:
    """Yield what the new state of a run asks of its children, and tells its parent.

    Args:
        run: As it was before the step.
        after: Its row after it.
        changed: The current attempts that the step changed, by task; `None`: there is none any more.
        born: Children that begin in this step: they know.
    """
    yield from mail_to_parent(run.head, after)
    names = dict.fromkeys(changed)
    if after is not run.head:
        names.update(dict.fromkeys(run.in_state(TaskState.RUNNING)))
    new = {child.id for child in born}
    attempts = (
        (run.attempts.get(task), changed[task] if task in changed else run.attempts.get(task))
        for task in names
    )
    concerned = [(old, one) for old, one in attempts if one is not None and one.child not in (None, *new)]
    yield from mail_to_children(run.graph.tasks, run.head, after, concerned)


def mail_to_parent(before: Head, after: Head) -> Iterator[Mail]:
    """Yield the word to a run's parent that it should look at it: it has ended, or is paused."""
    if after.parent_id is not None and after.state is not before.state and after.state in TOLD:
        yield _look(after.parent_id, after.parent_task, after.id)


def mail_to_children(
    tasks: Mapping[str, TaskDefinition],
    before: Head,
    after: Head,
    changed: Iterable[tuple[TaskInstance | None, TaskInstance]],
) -> Iterator[Mail]:
    """Yield what is asked of the children that attempts wait for, where it is not what was asked before.

    Args:
        tasks: By name.
        before: The parent's row before the step.
        after: The same after it.
        changed: Attempts with children, before and after the step.
    """
    for old, new in changed:
        if new.state is not TaskState.RUNNING:
            continue
        task = tasks[new.task]
        waited = old is not None and old.state is TaskState.RUNNING and old.child == new.child
        asked = asked_of_child(after, task)
        if old is not None and (old.state in TASK_FINAL or _is_inherited(old, new, asked)):
            yield _ask(new, CommandKind.RECOVER)
        elif not waited or asked is not asked_of_child(before, task):
            yield _ask(new, asked)


def _is_inherited(old: TaskInstance, new: TaskInstance, asked: CommandKind) -> bool:
    """Return whether an attempt goes on only now with the child of one before: its run waited for its turn."""
    return old.started_at is None and old.child == new.child and asked is CommandKind.RESUME


def give_up(attempt: TaskInstance) -> Mail:
    """Return the mail that stops the child of an attempt that waits for it no longer."""
    return _ask(attempt, CommandKind.STOP)


def is_mail(command: Command) -> bool:
    """Return whether a command comes from no person: one that does not fit is nobody's mistake."""
    if command.kind in (CommandKind.CHILD_CHANGED, CommandKind.GRANTED):
        return True
    return "parent" in command.body or is_from_turns(command)


def answer_to(command: Command) -> Mail | None:
    """Return the answer to a parent's mail that changed nothing: look at what your child is."""
    parent = command.body.get("parent")
    if not isinstance(parent, int):
        return None
    return _look(parent, command.body.get("task"), command.workflow_instance_id)


def _ask(attempt: TaskInstance, kind: CommandKind) -> Mail:
    body = {"parent": attempt.workflow_instance_id, "task": attempt.task}
    return Mail(workflow_instance_id=attempt.child or 0, kind=kind, body=body)


def _look(parent: int, task: object, child: int) -> Mail:
    body = {"task": task, "child": child}
    return Mail(workflow_instance_id=parent, kind=CommandKind.CHILD_CHANGED, body=body)
