"""Owns the numbers of maps inside a draft: how many elements stand where, and how many more may begin."""

from typing import Protocol

from orchestrator.core.definition import TaskDefinition
from orchestrator.core.elements import MAP, Elements, counted, element_name, extent_of, standing
from orchestrator.core.instance import Head, TaskInstance
from orchestrator.core.node import Node
from orchestrator.core.run import is_doomed, is_held
from orchestrator.core.status import TASK_FINAL, TaskState, WorkflowState


class Sheet(Protocol):
    """What a draft shows of a run, and lets be changed."""

    head: Head

    def attempt(self, task: str) -> TaskInstance | None:
        """Return the current attempt of a task."""
        ...

    def definition(self, task: str) -> TaskDefinition:
        """Return the definition of a task."""
        ...

    def node(self, task: str) -> Node:
        """Return the counters of a task."""
        ...

    def set_node(self, task: str, node: Node) -> Node:
        """Change the counters of a task."""
        ...

    def stir(self, group: str) -> None:
        """Note that something happened to a map."""
        ...


def is_map(sheet: Sheet, task: str) -> bool:
    """Return whether a task is the group of a map."""
    return sheet.definition(task).type == MAP


def spread(sheet: Sheet, group: str, total: int) -> None:
    """Let a map have so many elements; none of this attempt of its group has begun."""
    sheet.set_node(group, sheet.node(group)._replace(elements=Elements(total=total)))
    sheet.stir(group)


def is_spread(sheet: Sheet, group: str) -> bool:
    """Return whether a map has its elements."""
    return sheet.node(group).elements is not None


def numbers(sheet: Sheet, group: str) -> Elements:
    """Return the numbers of a map that has its elements."""
    return sheet.node(group).elements or Elements(total=0)


def set_numbers(sheet: Sheet, group: str, elements: Elements) -> None:
    """Change the numbers of a map."""
    sheet.set_node(group, sheet.node(group)._replace(elements=elements, owed=False))


def owe_elements(sheet: Sheet, group: str) -> bool:
    """Note whether elements of a map are to be created now, and return it."""
    node = sheet.node(group)
    owed = room(sheet, group) > 0
    if owed is not node.owed:
        sheet.set_node(group, node._replace(owed=owed))
    return owed


def room(sheet: Sheet, group: str) -> int:
    """Return how many more elements of a map may begin now."""
    elements, task, row = sheet.node(group).elements, sheet.definition(group), sheet.attempt(group)
    if elements is None or row is None or row.state is not TaskState.RUNNING:
        return 0
    if sheet.head.state is not WorkflowState.RUNNING or is_doomed(sheet.head, task):
        return 0
    if is_held(sheet.head, group):
        return 0
    left = elements.total - elements.next
    free = (task.max_parallel or elements.total) - elements.active - elements.paused
    return max(min(left, free), 0)


def count_element(sheet: Sheet, group: str, old: TaskInstance | None, new: TaskInstance | None) -> None:
    """Count an element where it stands now; constant time."""
    node, row = sheet.node(group), sheet.attempt(group)
    if node.elements is not None and row is not None:
        moved = node.elements.moved(standing(old, row), standing(new, row))
        sheet.set_node(group, node._replace(elements=moved))
    sheet.stir(group)


def count_all(sheet: Sheet, group: str) -> None:
    """Derive the numbers of a map that goes on, and whether elements are to be created: O(elements)."""
    row = sheet.attempt(group)
    total = extent_of(row) if row is not None and row.state not in TASK_FINAL else None
    if row is None or total is None:
        return
    rows = (sheet.attempt(element_name(group, index)) for index in range(total))
    sheet.set_node(group, sheet.node(group)._replace(elements=counted(total, rows, row)))
    sheet.stir(group)
    owe_elements(sheet, group)


def elements_of(sheet: Sheet, group: TaskInstance) -> list[TaskInstance]:
    """Return the current attempts of the elements of a group."""
    names = (element_name(group.task, index) for index in range(extent_of(group) or 0))
    return [one for name in names if (one := sheet.attempt(name)) is not None]
