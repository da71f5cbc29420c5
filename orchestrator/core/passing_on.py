"""Owns the word that a run passes on to the children it waits for: so many in a step, the rest by mail to itself.

What is left over stands in that mail, which is written with the part that is done: a crash neither loses nor
repeats any of it. It says what was asked before and after, and not whom to tell: whoever goes on looks at what the
run asks by then, so that a later word overtakes an earlier one that is still being passed on.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from operator import attrgetter
from typing import Any

from orchestrator.core.command import GIVEN_UP, CommandKind, Mail
from orchestrator.core.definition import TaskDefinition
from orchestrator.core.instance import Head, TaskInstance
from orchestrator.core.run import STOPPED_REASON, WorkflowInstance, is_doomed, is_held, is_stopping
from orchestrator.core.status import TaskState, WorkflowState

Tasks = Mapping[str, TaskDefinition]

_sequence = attrgetter("sequence")


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


def ask(attempt: TaskInstance, kind: CommandKind) -> Mail:
    """Return the mail to the child of an attempt that asks this of it."""
    body = {"parent": attempt.workflow_instance_id, "task": attempt.task}
    return Mail(workflow_instance_id=attempt.child or 0, kind=kind, body=body)


def look_at(parent: int, task: object, child: int) -> Mail:
    """Return the mail that has a parent look how the child of one of its tasks stands."""
    body = {"task": task, "child": child}
    return Mail(workflow_instance_id=parent, kind=CommandKind.CHILD_CHANGED, body=body)


def pass_on(
    tasks: Tasks, before: Head, after: Head, attempts: Iterable[TaskInstance], most: int
) -> Iterator[Mail]:
    """Yield what a step asks of children that the run asked something else before, in the order of their tasks.

    Args:
        tasks: By name.
        before: The run's row before the step.
        after: The same after it.
        attempts: RUNNING ones that the step did not change.
        most: So many children are asked; if there are more, mail to the run itself goes on with them.
    """
    if before is not after:
        word = {"before": _grounds(before), "after": _grounds(after)}
        if word["before"] != word["after"]:
            yield from _part(tasks, after, word, attempts, most)


def go_on(run: WorkflowInstance, body: Mapping[str, Any], most: int) -> Iterator[Mail]:
    """Yield the next part of a word that is being passed on; nothing, if a later one has overtaken it.

    One that a person gave up reaches nobody any more: the parent looks at each child that would have heard it.

    Args:
        run: The parent.
        body: `before` and `after`, what the run's row said before the step that gave the word, and after it;
            `past`, up to which task the children have heard it; `given_up`, if a person gave it up.
        most: So many children are asked.
    """
    running = (run.attempts[task] for task in run.in_state(TaskState.RUNNING))
    rest = (one for one in running if one.sequence > body["past"])
    word = {name: body[name] for name in ("before", "after", GIVEN_UP) if name in body}
    yield from _part(run.graph.tasks, run.head, word, rest, most)


def _part(
    tasks: Tasks, head: Head, word: Mapping[str, Any], attempts: Iterable[TaskInstance], most: int
) -> Iterator[Mail]:
    """Yield what the next children are asked, and the mail that goes on if there are more."""
    before, after = _head_of(head, word["before"]), _head_of(head, word["after"])
    in_order = sorted((one for one in attempts if one.child is not None), key=_sequence)
    concerned = (one for one in in_order if _concerns(tasks[one.task], before, after, head))
    asked = list(islice(concerned, most))
    for attempt in asked:
        unheard = GIVEN_UP in word
        yield _look(attempt) if unheard else ask(attempt, asked_of_child(head, tasks[attempt.task]))
    if next(concerned, None) is not None:
        body = {**word, "past": asked[-1].sequence}
        yield Mail(workflow_instance_id=head.id, kind=CommandKind.PASS_ON, body=body)


def _look(attempt: TaskInstance) -> Mail:
    return look_at(attempt.workflow_instance_id, attempt.task, attempt.child or 0)


def _concerns(task: TaskDefinition, before: Head, after: Head, now: Head) -> bool:
    """Return whether a word is the one that brought what is asked now; else another one does."""
    asked = asked_of_child(now, task)
    return asked_of_child(before, task) is not asked and asked_of_child(after, task) is asked


def _grounds(head: Head) -> dict[str, Any]:
    """Return everything of a run's row that what it asks of its children depends on, as JSON holds it."""
    return {
        "state": head.state.value,
        "ending": head.ending,
        "held": list(head.held),
        "stopping": is_stopping(head),
    }


def _head_of(head: Head, grounds: Mapping[str, Any]) -> Head:
    """Return a head that asks what one with these grounds did."""
    return replace(
        head,
        state=WorkflowState(grounds["state"]),
        ending=grounds["ending"],
        held=tuple(grounds["held"]),
        reason=STOPPED_REASON if grounds["stopping"] else None,
    )
