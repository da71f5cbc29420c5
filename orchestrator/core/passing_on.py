"""Owns the word that a run passes on to the children it waits for: so many in a step, the rest by mail to itself.

What is left over stands in that mail, which is written with the part that is done: a crash neither loses nor
repeats any of it. It says what was asked before, and not whom to tell: whoever goes on looks at what the run asks
by then, so that a later word overtakes an earlier one that is still being passed on.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from orchestrator.core.command import CommandKind, Mail
from orchestrator.core.definition import TaskDefinition
from orchestrator.core.instance import Head, TaskInstance
from orchestrator.core.run import STOPPED_REASON, WorkflowInstance, is_doomed, is_held, is_stopping
from orchestrator.core.status import TaskState, WorkflowState

Tasks = Mapping[str, TaskDefinition]


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


def pass_on(
    tasks: Tasks, before: Head, after: Head, attempts: Iterable[TaskInstance], most: int
) -> Iterator[Mail]:
    """Yield what a run asks of children where it asked something else before, in the order of their tasks.

    Args:
        tasks: By name.
        before: The run's row, as it was when these children were asked last.
        after: The same now.
        attempts: RUNNING ones.
        most: So many children are asked; if there are more, mail to the run itself goes on with them.
    """
    if before is after or _grounds(before) == _grounds(after):
        return
    concerned = [one for one in attempts if one.child is not None and _differs(tasks, before, after, one)]
    concerned.sort(key=_sequence)
    for attempt in concerned[:most]:
        yield ask(attempt, asked_of_child(after, tasks[attempt.task]))
    left_over = concerned[most:]
    past = concerned[most - 1].sequence if left_over else 0
    for kind in dict.fromkeys(asked_of_child(after, tasks[one.task]) for one in left_over):
        body = {"ask": kind.value, "before": _grounds(before), "past": past}
        yield Mail(workflow_instance_id=after.id, kind=CommandKind.PASS_ON, body=body)


def go_on(run: WorkflowInstance, body: Mapping[str, Any], most: int) -> Iterator[Mail]:
    """Yield the next part of a word that is being passed on; nothing, if a later one has overtaken it.

    Args:
        run: The parent.
        body: `ask`, what is asked; `before`, what the run's row said when the children were asked last; `past`, up
            to which task they know.
        most: So many children are asked.
    """
    head, tasks = run.head, run.graph.tasks
    running = (run.attempts[task] for task in run.in_state(TaskState.RUNNING))
    rest = (
        one
        for one in running
        if one.sequence > body["past"] and asked_of_child(head, tasks[one.task]) == body["ask"]
    )
    yield from pass_on(tasks, _head_of(head, body["before"]), head, rest, most)


def _differs(tasks: Tasks, before: Head, after: Head, attempt: TaskInstance) -> bool:
    task = tasks[attempt.task]
    return asked_of_child(before, task) is not asked_of_child(after, task)


def _sequence(attempt: TaskInstance) -> int:
    return attempt.sequence


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
