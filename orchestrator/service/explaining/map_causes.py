"""Owns what holds back a map, or one of its elements that has not begun."""

from orchestrator.core.elements import element_name, extent_of, gathers, group_of, index_of
from orchestrator.core.instance import TaskInstance
from orchestrator.core.status import TASK_FINAL, TaskState, WorkflowState
from orchestrator.service.explaining.causes import Cause, Kind, named
from orchestrator.service.explaining.facts import Facts


def elements_named(facts: Facts, group: str) -> list[str]:
    """Return the names of the elements of a map, as far as its list is known."""
    row = facts.run.attempts.get(group)
    return [element_name(group, index) for index in range((row and extent_of(row)) or 0)]


def map_cause(facts: Facts, group: TaskInstance) -> Cause:
    """Return what a map waits for: its list, its elements, or their outputs."""
    if gathers(group) or extent_of(group) is None:
        what = "the outputs of its elements" if gathers(group) else "its list"
        detail = f"is about to be carried on by the master, which looks at {what}"
        return Cause(kind=Kind.MASTER_DECIDES, task=group.task, detail=detail, since=group.submitted_at)
    return Cause(kind=Kind.ELEMENTS, task=group.task, detail=_progress(facts, group), since=group.started_at)


def turn_cause(facts: Facts, element: str) -> Cause:
    """Return why an element has no attempt yet."""
    group = group_of(element) or element
    most = facts.run.graph.tasks[group].max_parallel
    before = [name for name in _active(facts, group) if index_of(name) != index_of(element)]
    limit = f" ({most} at a time): {named(before)} before it" if most is not None else ""
    return Cause(kind=Kind.ELEMENTS, task=element, detail=f"waits for its turn in the map '{group}'{limit}")


def open_elements(facts: Facts, group: TaskInstance) -> list[TaskInstance]:
    """Return the attempts of a map's elements that have not ended, or have failed."""
    found = (facts.run.attempts.get(name) for name in elements_named(facts, group.task))
    fine = (TaskState.SUCCESS, TaskState.FORCED_SUCCESS)
    return [one for one in found if one is not None and one.state not in fine]


def _active(facts: Facts, group: str) -> list[str]:
    attempts = facts.run.attempts
    return [
        name
        for name in elements_named(facts, group)
        if name in attempts and attempts[name].state not in TASK_FINAL
    ]


def _progress(facts: Facts, group: TaskInstance) -> str:
    """Say how far the elements are."""
    numbers = facts.run.nodes[group.task].elements
    total = extent_of(group) or 0
    if numbers is None:
        return f"waits for its {total} elements"
    going_on, failed = numbers.active + numbers.paused, numbers.failed + numbers.killed
    waiting = total - numbers.next
    most = facts.run.graph.tasks[group.task].max_parallel
    parts = [f"{numbers.next - going_on - failed} of {total} succeeded", f"{going_on} going on"]
    if failed:
        parts.append(f"{failed} failed")
    if waiting:
        why = f" ({most} at a time)" if most and facts.run.head.state is WorkflowState.RUNNING else ""
        parts.append(f"{waiting} not begun{why}")
    return "waits for its elements: " + ", ".join(parts)
