"""Owns the timers: what is due when, in database time; rebuilt from rows, so nothing here is stored."""

import heapq
from collections.abc import Hashable
from datetime import datetime
from itertools import count
from typing import Generic, TypeVar

T = TypeVar("T")


class Timers(Generic[T]):
    """A heap of things to do. Setting a key again replaces what it had."""

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, int, Hashable]] = []
        self._due: dict[Hashable, tuple[int, T]] = {}
        self._numbers = count()

    def set(self, key: Hashable, at: datetime, value: T) -> None:
        """Make `value` due at `at`, in the place of what `key` had."""
        number = next(self._numbers)
        self._due[key] = (number, value)
        heapq.heappush(self._heap, (at, number, key))
        if len(self._heap) > 64 + 4 * len(self._due):
            self._compact()

    def cancel(self, key: Hashable) -> None:
        """Forget what `key` had, if anything."""
        self._due.pop(key, None)

    def next_at(self) -> datetime | None:
        """Return when the next one is due, or `None` when there is none."""
        while self._heap and not self._is_live(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take_due(self, now: datetime, most: int) -> list[tuple[datetime, T]]:
        """Return and remove up to `most` values that are due at `now` with their times, the earliest first."""
        taken: list[tuple[datetime, T]] = []
        while len(taken) < most:
            at = self.next_at()
            if at is None or at > now:
                break
            _, _, key = heapq.heappop(self._heap)
            taken.append((at, self._due.pop(key)[1]))
        return taken

    def clear(self) -> None:
        """Forget everything."""
        self._heap.clear()
        self._due.clear()

    def __len__(self) -> int:
        return len(self._due)

    def _is_live(self, entry: tuple[datetime, int, Hashable]) -> bool:
        return self._due.get(entry[2], (None,))[0] == entry[1]

    def _compact(self) -> None:
        self._heap = [entry for entry in self._heap if self._is_live(entry)]
        heapq.heapify(self._heap)
