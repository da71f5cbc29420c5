"""Owns the mail between a run and its children: what each asks of the other, and what it tells it."""

from collections.abc import Iterable, Iterator, Mapping

from orchestrator.core.command import GIVEN_UP, Command, CommandKind, Mail
from orchestrator.core.definition import TaskDefinition
from orchestrator.core.instance import Head, TaskInstance
from orchestrator.core.passing_on import ask, asked_of_child, look_at, pass_on
from orchestrator.core.run import WorkflowInstance
from orchestrator.core.serial import is_from_turns
from orchestrator.core.status import TASK_FINAL, WORKFLOW_FINAL, TaskState, WorkflowState

TOLD = frozenset({WorkflowState.PAUSED, *WORKFLOW_FINAL})
"""States of a child that its parent is told of."""

OWN_WAIT: Mapping[CommandKind, tuple[str, ...]] = {
    CommandKind.START: (),
    CommandKind.CHILD_CHANGED: ("task", "child"),
    CommandKind.PASS_ON: ("before", "after", "past"),
}
"""Mail whose receiver itself waits for it, and what of it is said once more if it is given up."""


def family_mail(
    run: WorkflowInstance,
    after: Head,
    changed: Mapping[str, TaskInstance | None],
    born: Iterable[Head],
    most: int,
) -> Iterator[Mail]:
    """Yield what the new state of a run asks of its children, and tells its parent.

    Args:
        run: As it was before the step.
        after: Its row after it.
        changed: The current attempts that the step changed, by task; `None`: there is none any more.
        born: Children that begin in this step: they know.
        most: So many children of tasks that the step did not change are asked in it, the others in later ones.
    """
    yield from mail_to_parent(run.head, after)
    know = {None, *(child.id for child in born)}
    attempts = ((run.attempts.get(task), one) for task, one in changed.items())
    concerned = [(old, one) for old, one in attempts if one is not None and one.child not in know]
    tasks = run.graph.tasks
    yield from mail_to_children(tasks, run.head, after, concerned)
    running = (run.attempts[task] for task in run.in_state(TaskState.RUNNING) if task not in changed)
    yield from pass_on(tasks, run.head, after, running, most)


def mail_to_parent(before: Head, after: Head) -> Iterator[Mail]:
    """Yield the word to a run's parent that it should look at it: it has ended, or is paused."""
    if after.parent_id is not None and after.state is not before.state and after.state in TOLD:
        yield look_at(after.parent_id, after.parent_task, after.id)


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
            yield ask(new, CommandKind.RECOVER)
        elif not waited or asked is not asked_of_child(before, task):
            yield ask(new, asked)


def _is_inherited(old: TaskInstance, new: TaskInstance, asked: CommandKind) -> bool:
    """Return whether an attempt goes on only now with the child of one before: its run waited for its turn."""
    return old.started_at is None and old.child == new.child and asked is CommandKind.RESUME


def give_up(attempt: TaskInstance) -> Mail:
    """Return the mail that stops the child of an attempt that waits for it no longer."""
    return ask(attempt, CommandKind.STOP)


def is_mail(command: Command) -> bool:
    """Return whether a command comes from no person: one that does not fit is nobody's mistake."""
    if command.kind in (CommandKind.CHILD_CHANGED, CommandKind.GRANTED, CommandKind.PASS_ON):
        return True
    return "parent" in command.body or is_from_turns(command)


def answer_to(command: Command) -> Mail | None:
    """Return the answer to a parent's mail that changed nothing: look at what your child is."""
    parent = command.body.get("parent")
    if not isinstance(parent, int):
        return None
    return look_at(parent, command.body.get("task"), command.workflow_instance_id)


def answer_to_buried(command: Command, reason: str) -> Mail | None:
    """Return what is said in the place of a command that a person gave up, so that nobody waits for it for ever.

    A parent looks at the child that does not hear of it. Mail whose receiver itself waits comes again, and says
    that it was given up: its handler then does without. `None`: a person gave the command, and sees it refused; or
    what waits is told again as its rows say (pools, turns); or the answer itself is given up.

    Args:
        command: What was given up.
        reason: Why, for people.
    """
    if GIVEN_UP in command.body:
        return None
    if command.kind not in OWN_WAIT:
        return answer_to(command)
    said = {name: command.body[name] for name in OWN_WAIT[command.kind] if name in command.body}
    body = {**said, GIVEN_UP: reason}
    return Mail(workflow_instance_id=command.workflow_instance_id, kind=command.kind, body=body)
