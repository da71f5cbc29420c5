"""Owns the keys of the simulated Redis: their values, when they expire, when they changed, how they were."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from redis.exceptions import ResponseError

from tests.simulation.redis_stream_value import Stream
from tests.simulation.redis_values import Hash, List, SortedSet

Value = bytes | Hash | List | SortedSet | Stream
V = TypeVar("V", bytes, Hash, List, SortedSet, Stream)

STEP_S = 1.0
MOST_STEPS = 64


@dataclass(slots=True, kw_only=True)
class Step:
    """How keys were before the writes of about a second.

    Attributes:
        before: Value and deadline of each key that was written, before the first write.
    """

    began_s: float
    written_s: float
    before: dict[bytes, tuple[Value | None, float | None]] = field(default_factory=dict)


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
        self._steps: deque[Step] = deque(maxlen=MOST_STEPS)

    def now_ms(self) -> int:
        """Return milliseconds since the epoch."""
        return int(self.now() * 1000)

    def find(self, key: bytes, kind: type[V]) -> V | None:
        """Return a key's value, or `None` if there is no such key.

        Raises:
            ResponseError: The value is of another kind.
        """
        value = self._values.get(key)
        if value is None or (key in self._deadlines and self._expired(key)):
            return None
        if value.__class__ is not kind:
            raise ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value")
        return value

    def obtain(self, key: bytes, kind: type[V]) -> V:
        """Return a key's value for changing it; a new and empty one if there was none.

        Raises:
            ResponseError: The value is of another kind.
        """
        self._remember(key)
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
        self._remember(key)
        self._values[key] = value
        self._deadlines.pop(key, None)
        if deadline_s is not None:
            self._deadlines[key] = deadline_s
        self._touch(key)

    def remove(self, key: bytes) -> bool:
        """Delete a key; return whether it was there."""
        if not self.has(key):
            return False
        self._remember(key)
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
        self._remember(key)
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
        for key in self._values:
            self._remember(key)
        self._values, self._deadlines, self._touched = {}, {}, {}
        self.unwatch()

    def unwatch(self) -> None:
        """Let every key count as changed."""
        self.version += 1
        self._floor = self.version

    def forget(self) -> None:
        """Delete everything, and what it was before as well."""
        self.clear()
        self._steps.clear()

    def go_back(self, seconds: float) -> None:
        """Let everything be as it was so long ago, or as long ago as is still known; up to a second more.

        Raises:
            ValueError: Nothing is known, for no history is kept.
        """
        if not self._keep_history:
            raise ValueError("a server that keeps no history cannot go back")
        wanted_s = self.now() - seconds
        while self._steps and self._steps[-1].written_s > wanted_s:
            for key, (value, deadline) in self._steps.pop().before.items():
                self._put_back(key, value, deadline)

    def _put_back(self, key: bytes, value: Value | None, deadline: float | None) -> None:
        self._values.pop(key, None)
        self._deadlines.pop(key, None)
        if value is not None:
            self._values[key] = value
        if deadline is not None:
            self._deadlines[key] = deadline
        self._touch(key)

    def _remember(self, key: bytes) -> None:
        """Note how a key is before it is written, once per step."""
        if not self._keep_history:
            return
        now = self.now()
        if not self._steps or not 0 <= now - self._steps[-1].began_s < STEP_S:
            self._steps.append(Step(began_s=now, written_s=now))
        step = self._steps[-1]
        step.written_s = now
        if key not in step.before:
            step.before[key] = (_copied(self._values.get(key)), self._deadlines.get(key))

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


def _copied(value: Value | None) -> Value | None:
    match value:
        case Hash():
            return Hash(value)  # `copy` would make a mere dict of it
        case SortedSet():
            return SortedSet(value)
        case List() | Stream():
            return value.copy()
        case _:
            return value


Arguments = Sequence[bytes]
Command = Callable[[Keyspace, Arguments], Any]
"""Carries out one command and returns its raw reply."""
