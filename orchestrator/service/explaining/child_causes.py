"""Owns what the runs have to do with it that tasks have started: how each stands, and who holds it."""

from shlex import quote

from orchestrator.core.command import CommandKind
from orchestrator.core.instance import TaskInstance
from orchestrator.core.passing_on import asked_of_child
from orchestrator.core.status import WORKFLOW_FINAL, TaskState, WorkflowState
from orchestrator.service.explaining.causes import Cause, Kind, named
from orchestrator.service.explaining.facts import Facts
from orchestrator.service.explaining.map_causes import elements_named
from orchestrator.service.wording import counted
from orchestrator.store.child_places import ChildPlace

W = WorkflowState
HELD = frozenset({W.PAUSING, W.PAUSED})
MOST_TO_RESUME = 10
SAID = {
    W.SUBMITTED: "has not started",
    W.WAITING: "waits for its turn",
    W.STOPPING: "is being stopped",
}


def with_child(facts: Facts, attempt: TaskInstance) -> Cause:
    """Return how the run stands that a task waits for; one that is held goes on by a command."""
    child = facts.children.get(attempt.child or 0)
    if child is not None and child.state in HELD:
        return _with_held(facts, attempt, child)
    return Cause(
        kind=Kind.CHILD,
        task=attempt.task,
        detail=f"waits for its run {attempt.child}{_standing(child)}",
        since=attempt.started_at,
        remedy=f"orchestrator runs explain {attempt.child}",
    )


def held_children(facts: Facts, group: TaskInstance) -> list[Cause]:
    """Return one cause, or none: runs of a map's elements were paused by themselves, and hold the map up."""
    held = [child for one in _waiting_elements(facts, group) if (child := held_by_hand(facts, one))]
    if not held:
        return []
    number, runs = len(held), named(str(one.id) for one in held)
    ids = " ".join(str(one.id) for one in held[:MOST_TO_RESUME])
    rest = f"; then the others: orchestrator runs list --state PAUSED --workflow {quote(held[0].workflow)}"
    return [
        Cause(
            kind=Kind.HELD,
            task=group.task,
            detail=f"waits for {counted(number, 'run')} of its elements that somebody has paused: {runs}",
            since=min((one.paused_at for one in held if one.paused_at), default=None),
            remedy=f"orchestrator runs resume {ids}{rest if number > MOST_TO_RESUME else ''}",
        )
    ]


def held_by_hand(facts: Facts, attempt: TaskInstance) -> ChildPlace | None:
    """Return the run that an attempt waits for if it is held, and not by this run."""
    child = facts.children.get(attempt.child or 0) if attempt.state is TaskState.RUNNING else None
    return child if child and child.state in HELD and not _asks_to_pause(facts, attempt) else None


def _with_held(facts: Facts, attempt: TaskInstance, child: ChildPlace) -> Cause:
    by, command = "somebody has paused that very run", f"resume {child.id}"
    if _asks_to_pause(facts, attempt):
        by, command = "it was paused with this one", f"resume {facts.number}"
        if attempt.task in facts.run.head.held:
            by, command = "it was paused with this task", f"{command} --task {quote(attempt.task)}"
    return Cause(
        kind=Kind.HELD,
        task=attempt.task,
        detail=f"waits for its run {child.id} of '{child.workflow}', which is {child.state}: {by}",
        since=child.paused_at,
        remedy=f"orchestrator runs {command}",
    )


def _asks_to_pause(facts: Facts, attempt: TaskInstance) -> bool:
    task = facts.run.graph.tasks[attempt.task]
    return asked_of_child(facts.run.head, task) is CommandKind.PAUSE


def _standing(child: ChildPlace | None) -> str:
    if child is None:
        return ""
    if child.state in WORKFLOW_FINAL:
        said = f"ended {child.state}, which its master is about to be told"
    else:
        said = SAID.get(child.state, f"is {child.state}")
    return f" of '{child.workflow}', which {said}"


def _waiting_elements(facts: Facts, group: TaskInstance) -> list[TaskInstance]:
    attempts = facts.run.attempts
    return [attempts[name] for name in elements_named(facts, group.task) if name in attempts]
