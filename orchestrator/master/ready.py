"""Owns the ready queue: submitted attempts that wait for room in the broker, by priority, per worker group."""

import heapq
from dataclasses import dataclass

Key = tuple[int, str]
"""Workflow instance id and task name."""


@dataclass(frozen=True, slots=True, order=True)
class Rank:
    """Order of dispatch: the workflow's priority, then the task's, then age.

    Attributes:
        workflow: 0 (highest) to 4.
        task: 0 (highest) to 4.
        age: Submit time as a timestamp; the oldest goes first.
        sequence: Order of submission within the run.
    """

    workflow: int
    task: int
    age: float
    sequence: int


class ReadyQueue:
    """Waiting attempts of all groups; what is withdrawn never comes out."""

    def __init__(self) -> None:
        self._heaps: dict[str, list[tuple[Rank, int, str]]] = {}
        self._waiting: dict[Key, tuple[str, Rank]] = {}
        self._counts: dict[str, int] = {}

    def push(self, key: Key, group: str, rank: Rank) -> None:
        """Let `key` wait in `group`; a second push of the same one changes nothing."""
        if self._waiting.get(key) == (group, rank):
            return
        self.withdraw(key)
        self._waiting[key] = (group, rank)
        self._counts[group] = self._counts.get(group, 0) + 1
        heapq.heappush(self._heaps.setdefault(group, []), (rank, *key))

    def withdraw(self, key: Key) -> bool:
        """Take `key` out; return whether it was waiting."""
        found = self._waiting.pop(key, None)
        if found is not None:
            self._counts[found[0]] -= 1
        return found is not None

    def groups(self) -> list[str]:
        """Return the groups in which something may wait."""
        return [group for group, heap in self._heaps.items() if heap]

    def take(self, group: str, most: int) -> list[Key]:
        """Return and remove up to `most` attempts of `group`, first things first."""
        heap = self._heaps.get(group, [])
        taken: list[Key] = []
        while heap and len(taken) < most:
            rank, instance, task = heapq.heappop(heap)
            if self._waiting.get((instance, task)) == (group, rank):
                self.withdraw((instance, task))
                taken.append((instance, task))
        return taken

    def waiting(self) -> dict[str, int]:
        """Return how many attempts wait, by group."""
        return {group: number for group, number in self._counts.copy().items() if number}

    def clear(self) -> None:
        """Forget everything."""
        self._heaps.clear()
        self._waiting.clear()
        self._counts.clear()

    def __len__(self) -> int:
        return len(self._waiting)
