"""Owns the values of the simulated Redis: what can stand behind a key, and how arguments become bytes."""

import math
from collections import deque
from collections.abc import Iterable
from typing import Any

from redis.exceptions import ResponseError


class Status(bytes):
    """A status reply, such as OK; Lua sees a table in it."""

    __slots__ = ()


OK = Status(b"OK")
SYNTAX_ERROR = "syntax error"


class Hash(dict[bytes, bytes]):
    """A hash."""


class SortedSet(dict[bytes, float]):
    """A sorted set: scores by member."""

    def ranked(self) -> list[tuple[bytes, float]]:
        """Return members and scores as Redis sorts them: by score, then by name."""
        return sorted(self.items(), key=lambda item: (item[1], item[0]))


class List(deque[bytes]):
    """A list."""


def all_raw(values: Iterable[Any]) -> list[bytes]:
    """Return arguments as they go over the wire; quick for bytes and text."""
    return [
        value if value.__class__ is bytes else value.encode() if value.__class__ is str else raw(value)
        for value in values
    ]


def raw(value: Any) -> bytes:
    """Return an argument as it goes over the wire.

    Raises:
        TypeError: redis-py would not send it.
    """
    match value:
        case bytes():
            return value
        case str():
            return value.encode()
        case int() if not isinstance(value, bool):
            return b"%d" % value
        case float():
            return (b"%d" % int(value)) if value.is_integer() else repr(value).encode()
        case bytearray() | memoryview():
            return bytes(value)
        case _:
            raise TypeError(f"{type(value).__name__} cannot be sent to Redis")


def whole(argument: bytes) -> int:
    """Return a whole number.

    Raises:
        ResponseError: It is none.
    """
    try:
        return int(argument)
    except ValueError:
        raise ResponseError("value is not an integer or out of range") from None


def score(argument: bytes) -> float:
    """Return the score of a member.

    Raises:
        ResponseError: It is no number.
    """
    try:
        value = float(argument)
    except ValueError:
        raise ResponseError("value is not a valid float") from None
    if math.isnan(value):
        raise ResponseError("value is not a valid float")
    return value


def shown(number: float) -> bytes:
    """Return a score as Redis writes it."""
    return raw(number) if math.isfinite(number) else repr(number).encode()


def slice_of(start: int, stop: int, length: int) -> slice:
    """Return the slice of LRANGE or ZRANGE: both ends count, negative ones from the end."""
    first = max(start + length, 0) if start < 0 else start
    last = stop + length if stop < 0 else stop
    return slice(first, max(last + 1, 0))
