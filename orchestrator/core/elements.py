"""Owns the elements of a map: their names, what defines them and their group, and how many of them stand where.

A task with `map:` has a *group* row of its own name and, for each element of its list, a row `name[index]`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from orchestrator.core.definition import TaskDefinition
from orchestrator.core.instance import TaskInstance
from orchestrator.core.status import TASK_ACTIVE, TaskState

MAP = "map"
"""Type of a group row."""

GATHERS = "gathers its outputs"
"""Reason of a group whose elements have all succeeded: their outputs are still to be put together."""

MOST_REMEMBERED = 10_000
"""So many definitions of elements a graph remembers: they are the same for all its runs."""

_EXTENT = "elements"
_ELEMENT = re.compile(r"[^\[\]]+\[(0|[1-9][0-9]{0,5})\]")

FAILED = frozenset({TaskState.FAILURE, TaskState.KILLED})


class Elements(NamedTuple):
    """The elements of one map that is going on: a transition touches these numbers, never all elements.

    Attributes:
        total: How many there are.
        next: All before this one have begun, in this attempt of the group or with success in an earlier one.
        active: Those that wait, are handed over or run.
        paused: Those that are PAUSED.
        failed: Those that are FAILURE, for good, in this attempt of the group.
        killed: Those that are KILLED, the same.
    """

    total: int
    next: int = 0
    active: int = 0
    paused: int = 0
    failed: int = 0
    killed: int = 0

    def moved(self, old: str | None, new: str | None) -> "Elements":
        """Return the numbers after one element went from one of these fields to another (`None`: neither)."""
        if old == new:
            return self
        changes = {name: getattr(self, name) + step for name, step in ((old, -1), (new, 1)) if name}
        return self._replace(**changes)


class TaskTable(dict[str, TaskDefinition]):
    """Definitions by task name, which know the elements of maps too.

    Iterating gives the nodes of the graph alone: of a map its group.

    Args:
        tasks: The nodes by name, as they are written.
    """

    def __init__(self, tasks: Mapping[str, TaskDefinition]) -> None:
        super().__init__({name: as_group(task) for name, task in tasks.items()})
        self._mapped = {name: task for name, task in tasks.items() if task.map_over is not None}
        self._remembered: dict[str, TaskDefinition] = {}

    def __missing__(self, name: str) -> TaskDefinition:
        """Return the definition of an element.

        Raises:
            KeyError: There is no such map.
        """
        found = self._remembered.get(name)
        if found is None:
            if not _is_element(name, self._mapped):
                raise KeyError(name)
            found = replace(self._mapped[group_of(name) or name], name=name)
            if len(self._remembered) >= MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[name] = found
        return found

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or (isinstance(name, str) and _is_element(name, self._mapped))

    def get(self, name: str, default: Any = None) -> Any:
        """Return the definition of a node or an element, else `default`."""
        try:
            return self[name]
        except KeyError:
            return default


def element_name(group: str, index: int) -> str:
    """Return the task name of one element."""
    return f"{group}[{index}]"


def group_of(task: str) -> str | None:
    """Return the map that an element belongs to; `None` if `task` is no element's name."""
    return task[: task.index("[")] if task.endswith("]") and "[" in task else None


def _is_element(name: str, mapped: Mapping[str, TaskDefinition]) -> bool:
    return _ELEMENT.fullmatch(name) is not None and group_of(name) in mapped


def index_of(task: str) -> int:
    """Return the index of an element, from its name."""
    return int(task[task.index("[") + 1 : -1])


def as_group(task: TaskDefinition) -> TaskDefinition:
    """Return what defines the group row of a map: what belongs to its elements is left out; others as they are."""
    if task.map_over is None:
        return task
    return TaskDefinition(
        name=task.name,
        type=MAP,
        spec={"type": task.type, "outputs": dict(task.outputs)},
        needs=task.needs,
        trigger=task.trigger,
        priority=task.priority,
        worker_group=task.worker_group,
        environment=task.environment,
        map_over=task.map_over,
        map_as=task.map_as,
        max_parallel=task.max_parallel,
    )


def extent_of(attempt: TaskInstance) -> int | None:
    """Return how many elements a group was found to have; `None` before its list was looked at."""
    extent = attempt.external_ids.get(_EXTENT)
    return None if extent is None else int(extent)


def with_extent(total: int) -> Mapping[str, str]:
    """Return the field of a group's row that says how many elements it has: nobody else ever writes it there."""
    return {_EXTENT: str(total)}


def gathers(attempt: TaskInstance) -> bool:
    """Return whether all elements of a group have succeeded, and their outputs are to be put together."""
    return attempt.type == MAP and attempt.state is TaskState.RUNNING and attempt.reason == GATHERS


def standing(element: TaskInstance | None, group: TaskInstance) -> str | None:
    """Return the field of `Elements` that an element counts in, if any.

    What failed in an earlier attempt of the group counts in none: it is to run again.
    """
    if element is None or is_left_over(element, group):
        return None
    match element.state:
        case TaskState.PAUSED:
            return "paused"
        case TaskState.FAILURE:
            return "failed"
        case TaskState.KILLED:
            return "killed"
    return "active" if element.state in TASK_ACTIVE else None


def is_left_over(element: TaskInstance, group: TaskInstance) -> bool:
    """Return whether an element failed in an earlier attempt of its group, and is to run again."""
    return element.state in FAILED and element.sequence < group.sequence


def has_begun(element: TaskInstance | None, group: TaskInstance) -> bool:
    """Return whether an element needs no new attempt in this attempt of its group."""
    return element is not None and not is_left_over(element, group)


def counted(total: int, elements: Iterable[TaskInstance | None], group: TaskInstance) -> Elements:
    """Return the numbers of a map, from the current attempt of each of its elements in order; O(elements)."""
    numbers = Elements(total=total)
    begun = True
    for element in elements:
        begun = begun and has_begun(element, group)
        numbers = numbers.moved(None, standing(element, group))
        if begun:
            numbers = numbers._replace(next=numbers.next + 1)
    return numbers
