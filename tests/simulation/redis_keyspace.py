"""Owns the keys of the simulated Redis: their values, when they expire, when they changed, how they were."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from redis.exceptions import ResponseError

from tests.simulation.redis_stream_value import Stream
from tests.simulation.redis_values import Hash, List, SortedSet

Value = bytes | Hash | List | SortedSet | Stream
V = TypeVar("V", bytes, Hash, List, SortedSet, Stream)

SNAPSHOT_EVERY_S = 1.0
MOST_SNAPSHOTS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All keys as they were from `written_s` until the next write.

    Attributes:
        touched: The version of the last change of each key: equal versions share a value.
    """

    written_s: float
    values: Mapping[bytes, Value]
    deadlines: Mapping[bytes, float]
    touched: Mapping[bytes, int]


class Keyspace:
    """All keys of one server.

    Args:
        now: Seconds since the epoch.
        keep_history: Whether `go_back` shall be possible.

    Attributes:
        version: Grows with every write.
    """

    def __init__(self, now: Callable[[], float], *, keep_history: bool = False) -> None:
        self.now = now
        self.version = 0
        self._keep_history = keep_history
        self._values: dict[bytes, Value] = {}
        self._deadlines: dict[bytes, float] = {}
        self._touched: dict[bytes, int] = {}
        self._floor = 0
        self._written_s = now()
        self._snapshot_s = now()
        self._snapshots: deque[Snapshot] = deque(maxlen=MOST_SNAPSHOTS)

    def find(self, key: bytes, kind: type[V]) -> V | None:
        """Return a key's value, or `None` if there is no such key.

        Raises:
            ResponseError: The value is of another kind.
        """
        value = self._values.get(key)
        if value is None or self._expired(key):
            return None
        if value.__class__ is not kind:
            raise ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value")
        return value

    def obtain(self, key: bytes, kind: type[V]) -> V:
        """Return a key's value for changing it; a new and empty one if there was none.

        Raises:
            ResponseError: The value is of another kind.
        """
        self.before_write()
        value = self.find(key, kind)
        if value is None:
            value = self._values[key] = kind()
        self._touch(key)
        return value

    def change(self, key: bytes, kind: type[V]) -> V | None:
        """Return a key's value for changing it, or `None` if there is no such key.

        Raises:
            ResponseError: The value is of another kind.
        """
        if self.find(key, kind) is None:
            return None
        return self.obtain(key, kind)

    def store(self, key: bytes, value: Value, deadline_s: float | None = None) -> None:
        """Set a key, whatever it was, and when it expires: never, unless told."""
        self.before_write()
        self._values[key] = value
        self._deadlines.pop(key, None)
        if deadline_s is not None:
            self._deadlines[key] = deadline_s
        self._touch(key)

    def remove(self, key: bytes) -> bool:
        """Delete a key; return whether it was there."""
        if not self.has(key):
            return False
        self.before_write()
        del self._values[key]
        self._deadlines.pop(key, None)
        self._touch(key)
        return True

    def remove_if_empty(self, key: bytes) -> None:
        """Delete a key of no elements, as Redis does with everything but streams."""
        if not self._values.get(key, True):
            self.remove(key)

    def has(self, key: bytes) -> bool:
        """Return whether there is such a key."""
        return key in self._values and not self._expired(key)

    def names(self) -> list[bytes]:
        """Return all keys, the oldest first."""
        return [key for key in list(self._values) if self.has(key)]

    def look(self, key: bytes) -> Value | None:
        """Return a key's value, of whatever kind, for reading."""
        return self._values[key] if self.has(key) else None

    def streams(self) -> Iterator[tuple[bytes, Stream]]:
        """Yield all streams."""
        for key, value in self._values.items():
            if isinstance(value, Stream):
                yield key, value

    def expire(self, key: bytes, deadline_s: float | None) -> bool:
        """Let a key expire at a time, or never; return whether there is such a key."""
        if not self.has(key):
            return False
        self.before_write()
        self._deadlines.pop(key, None)
        if deadline_s is not None:
            self._deadlines[key] = deadline_s
        self._touch(key)
        return True

    def seconds_left(self, key: bytes) -> float | None:
        """Return for how long an existing key lives; `None`: for ever."""
        deadline = self._deadlines.get(key)
        return None if deadline is None else deadline - self.now()

    def changed_at(self, key: bytes) -> int:
        """Return the version of the last change of a key, for WATCH."""
        self.has(key)  # notices that it expired
        return max(self._touched.get(key, 0), self._floor)

    def clear(self) -> None:
        """Delete everything."""
        self.before_write()
        self._put_back({}, {})

    def forget(self) -> None:
        """Delete everything, and what it was before as well."""
        self.clear()
        self._snapshots.clear()

    def go_back(self, seconds: float) -> None:
        """Let everything be as it was so long ago, or as long ago as is still known.

        Raises:
            ValueError: Nothing is known, for no history is kept.
        """
        if not self._keep_history:
            raise ValueError("a server that keeps no history cannot go back")
        wanted_s = self.now() - seconds
        if self._written_s <= wanted_s:
            return
        chosen: Snapshot | None = None
        while self._snapshots and (chosen is None or chosen.written_s > wanted_s):
            chosen = self._snapshots.pop()
        if chosen is None:
            self._put_back({}, {})
        else:
            self._snapshots.append(chosen)
            self._put_back({key: _copied(value) for key, value in chosen.values.items()}, chosen.deadlines)

    def before_write(self) -> None:
        """Keep a picture of everything before it changes, at most one a second."""
        if not self._keep_history:
            return
        now = self.now()
        if now - self._snapshot_s >= SNAPSHOT_EVERY_S or now < self._snapshot_s or not self._snapshots:
            self._snapshots.append(self._picture())
            self._snapshot_s = now
        self._written_s = now

    def _picture(self) -> Snapshot:
        """Return a picture; what did not change since the one before is shared with it."""
        old = self._snapshots[-1] if self._snapshots else None
        return Snapshot(
            written_s=self._written_s,
            values={
                key: old.values[key]
                if old is not None and key in old.values and old.touched.get(key) == self._touched.get(key)
                else _copied(value)
                for key, value in self._values.items()
            },
            deadlines=dict(self._deadlines),
            touched=dict(self._touched),
        )

    def _put_back(self, values: dict[bytes, Value], deadlines: Mapping[bytes, float]) -> None:
        self.version += 1
        self._floor = self.version
        self._values, self._deadlines = values, dict(deadlines)
        self._touched = dict.fromkeys(values, self.version)

    def _touch(self, key: bytes) -> None:
        self.version += 1
        self._touched[key] = self.version

    def _expired(self, key: bytes) -> bool:
        """Return whether a key's time is over; then it is deleted."""
        deadline = self._deadlines.get(key)
        if deadline is None or deadline > self.now():
            return False
        del self._values[key], self._deadlines[key]
        self._touch(key)
        return True


def _copied(value: Value) -> Value:
    match value:
        case Hash():
            return Hash(value)  # `copy` would make a mere dict of it
        case SortedSet():
            return SortedSet(value)
        case List() | Stream():
            return value.copy()
        case _:
            return value
