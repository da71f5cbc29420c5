"""Owns the index of the attempts of pools that no worker has begun: how each stands, by worker group."""

from collections import defaultdict
from enum import StrEnum

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


class Pooled:
    """Follows the committed rows, as the holdings do."""

    def __init__(self) -> None:
        self._groups: dict[str, dict[Key, Standing]] = defaultdict(dict)
        self._group_of: dict[Key, str] = {}

    def note(self, head: Head, task: TaskDefinition, attempt: TaskInstance) -> None:
        """Follow one committed row."""
        if task.pool is None:  # nearly all
            return
        key = (head.id, attempt.task)
        self.forget(key)
        standing = standing_of(head, task, attempt)
        if standing is not None:
            group = task.worker_group or head.worker_group
            self._groups[group][key] = standing
            self._group_of[key] = group

    def forget(self, key: Key) -> None:
        """Forget an attempt."""
        group = self._group_of.pop(key, None)
        if group is not None:
            del self._groups[group][key]

    def groups(self) -> list[str]:
        """Return the worker groups that such attempts are for."""
        return [group for group, keys in self._groups.items() if keys]

    def of(self, group: str, standing: Standing) -> list[Key]:
        """Return the attempts for a worker group that stand so."""
        return [key for key, found in self._groups.get(group, {}).items() if found is standing]

    def clear(self) -> None:
        """Forget everything."""
        self._groups.clear()
        self._group_of.clear()


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
