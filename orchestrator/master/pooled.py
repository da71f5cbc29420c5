"""Owns the index of the attempts of pools that no worker has begun: how each stands, by worker group."""

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, islice

from orchestrator.core.definition import TaskDefinition
from orchestrator.core.instance import Head, TaskInstance
from orchestrator.core.pool import gives_way, is_in_pool, waits_for_slot
from orchestrator.core.status import TASK_HANDED_OVER
from orchestrator.master.ready import Key


class Standing(StrEnum):
    """How an attempt that no worker has begun stands to its pool."""

    IN_LINE = "in line"
    HAS_SLOT = "has slot"
    GIVES_WAY = "gives way"


Line = tuple[str, Standing]
"""Those who stand in the same way, for the same worker group."""


@dataclass(frozen=True, slots=True)
class Stand:
    """Worker group and standing of an attempt, and since which of its hand-overs and times in line it is so."""

    line: Line
    since: tuple[int, int, int]


class Pooled:
    """Follows the committed rows, as the holdings do.

    It also remembers who was told something. That counts as long as the attempt stands as it did then: the answer
    is another row. A word that got lost got lost with its run, which is forgotten then, and loaded again.
    """

    def __init__(self) -> None:
        self._stands: dict[Key, Stand] = {}
        self._untold: dict[Line, dict[Key, None]] = defaultdict(dict)
        self._told: dict[Line, dict[Key, None]] = defaultdict(dict)

    def note(self, head: Head, task: TaskDefinition, attempt: TaskInstance) -> None:
        """Follow one committed row."""
        if task.pool is None:  # nearly all
            return
        key = (head.id, attempt.task)
        stand = _stand_of(head, task, attempt)
        if stand == self._stands.get(key):
            return
        self.forget(key)
        if stand is not None:
            self._stands[key] = stand
            self._untold[stand.line][key] = None

    def forget(self, key: Key) -> None:
        """Forget an attempt."""
        stand = self._stands.pop(key, None)
        if stand is not None:
            self._untold[stand.line].pop(key, None)
            self._told[stand.line].pop(key, None)

    def groups(self) -> list[str]:
        """Return the worker groups that such attempts are for."""
        lines = chain(self._untold.items(), self._told.items())
        return list(dict.fromkeys(group for (group, _), keys in lines if keys))

    def of(self, group: str, standing: Standing) -> list[Key]:
        """Return the attempts for a worker group that stand so."""
        line = (group, standing)
        return [*self._untold.get(line, ()), *self._told.get(line, ())]

    def tell(self, group: str, standing: Standing, most: int) -> list[Key]:
        """Return up to `most` attempts for a worker group that stand so and were not told yet: now they are."""
        untold = self._untold[group, standing]
        keys = list(islice(untold, most))
        for key in keys:
            del untold[key]
        self._told[group, standing].update(dict.fromkeys(keys))
        return keys

    def clear(self) -> None:
        """Forget everything."""
        self._stands.clear()
        self._untold.clear()
        self._told.clear()


def _stand_of(head: Head, task: TaskDefinition, attempt: TaskInstance) -> Stand | None:
    standing = standing_of(head, task, attempt)
    if standing is None:
        return None
    line = (task.worker_group or head.worker_group, standing)
    return Stand(line, (*attempt.token, attempt.line_ups))


def standing_of(head: Head, task: TaskDefinition, attempt: TaskInstance) -> Standing | None:
    """Return how a current attempt stands; `None`: it has nothing to do with the pool, or is with a worker.

    One that was given back keeps its slot through the back-off.
    """
    if gives_way(task, attempt):
        return Standing.GIVES_WAY
    if waits_for_slot(task, attempt):
        return Standing.IN_LINE
    is_out = attempt.state in TASK_HANDED_OVER and attempt.incarnation is None and attempt.due_at is None
    return Standing.HAS_SLOT if is_out and is_in_pool(head, task, attempt) else None
