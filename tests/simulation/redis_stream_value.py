"""Owns the stream of the simulated Redis, its consumer groups and what they hold as pending."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from redis.exceptions import ResponseError

Id = tuple[int, int]

FIRST: Id = (0, 0)
LAST: Id = (2**64 - 1, 2**64 - 1)
NODE = 100
"""Entries of one node: trimming with `~` removes whole nodes only."""


class Entry(NamedTuple):
    """What an id stands for: the id as it is shown, and fields and values in turn."""

    shown: bytes
    fields: list[bytes]


class Pending(NamedTuple):
    """An entry that was handed out and not acknowledged."""

    consumer: bytes
    delivered_ms: int
    deliveries: int


@dataclass(slots=True, kw_only=True)
class Group:
    """A consumer group; `pending` is in the order of ids, for entries are handed out in that order.

    Attributes:
        delivered: Id of the last entry that was handed out as new.
        consumers: When each was last seen, in milliseconds.
    """

    delivered: Id
    pending: dict[Id, Pending] = field(default_factory=dict)
    consumers: dict[bytes, int] = field(default_factory=dict)

    def copy(self) -> "Group":
        """Return a group that can change on its own."""
        return Group(delivered=self.delivered, pending=dict(self.pending), consumers=dict(self.consumers))

    def hand_out(self, ids: Sequence[Id], held: Pending) -> None:
        """Note new entries as pending."""
        self.pending.update(dict.fromkeys(ids, held))
        self.delivered = ids[-1]

    def held_by(self, consumer: bytes, after: Id) -> Iterator[Id]:
        """Yield the ids behind `after` that a consumer holds."""
        return (one for one, held in self.pending.items() if one > after and held.consumer == consumer)

    def counts(self) -> dict[bytes, int]:
        """Return how many entries each consumer holds, of those that hold any, by name."""
        counts: dict[bytes, int] = {}
        for held in self.pending.values():
            counts[held.consumer] = counts.get(held.consumer, 0) + 1
        return dict(sorted(counts.items()))


class Stream:
    """A stream; ids only grow, so that `entries` is in their order."""

    __slots__ = ("entries", "groups", "last")

    def __init__(self) -> None:
        self.entries: dict[Id, Entry] = {}
        self.groups: dict[bytes, Group] = {}
        self.last: Id = FIRST

    def copy(self) -> "Stream":
        """Return a stream that can change on its own."""
        other = Stream()
        other.entries, other.last = dict(self.entries), self.last
        other.groups = {name: group.copy() for name, group in self.groups.items()}
        return other

    def add(self, entry_id: Id, fields: list[bytes]) -> bytes:
        """Add an entry, whose id is above all others; return the id as it is shown."""
        shown = show_id(entry_id)
        self.entries[entry_id] = Entry(shown, fields)
        self.last = entry_id
        return shown

    def after(self, last: Id, count: int) -> list[Id]:
        """Return the first `count` ids behind `last`, at no cost for what lies before."""
        if self.last <= last:
            return []
        found: list[Id] = []
        for one in reversed(self.entries):
            if one <= last:
                break
            found.append(one)
        found.reverse()
        return found[:count]

    def between(self, first: Id, last: Id) -> Iterator[Id]:
        """Yield the ids from `first` to `last`, both included."""
        if first == last:
            return iter([first] if first in self.entries else [])
        return (one for one in self.entries if first <= one <= last)

    def remove(self, ids: Iterable[Id]) -> int:
        """Delete entries; return how many were there."""
        return sum(self.entries.pop(one, None) is not None for one in ids)

    def trim(self, most: int, *, nodes: bool) -> int:
        """Delete the oldest entries above `most`, in whole nodes if so asked; return how many."""
        surplus = max(len(self.entries) - most, 0)
        if nodes:
            surplus -= surplus % NODE
        return self.remove(list(islice(self.entries, surplus)))

    def next_id(self, wanted: bytes, now_ms: int) -> Id:
        """Return the id of the entry to add.

        Args:
            wanted: An id, `7-*` or `*`.
            now_ms: The clock; where it went back, ids grow all the same.

        Raises:
            ResponseError: The id is none, or not above the last.
        """
        if wanted == b"*":
            return (now_ms, 0) if now_ms > self.last[0] else (self.last[0], self.last[1] + 1)
        if wanted.endswith(b"-*"):
            milliseconds = read_id(wanted[:-2])[0]
            entry_id = (milliseconds, self.last[1] + 1 if milliseconds == self.last[0] else 0)
        else:
            entry_id = read_id(wanted)
        if entry_id <= self.last:
            raise ResponseError(
                "The ID specified in XADD is equal or smaller than the target stream top item"
            )
        return entry_id


def show_id(entry_id: Id) -> bytes:
    """Return an id as Redis writes it."""
    return b"%d-%d" % entry_id


def read_id(text: bytes, *, missing: int = 0) -> Id:
    """Return an id; `-` and `+` are the first and the last there can be.

    Args:
        text: `7-1`, or `7`.
        missing: The second part, where there is none.

    Raises:
        ResponseError: It is no id.
    """
    if text in {b"-", b"+"}:
        return FIRST if text == b"-" else LAST
    first, dash, second = text.partition(b"-")
    if not first.isdigit() or (dash and not second.isdigit()):
        raise ResponseError("Invalid stream ID specified as stream command argument")
    entry_id = (int(first), int(second) if dash else missing)
    if max(entry_id) > LAST[0]:
        raise ResponseError("Invalid stream ID specified as stream command argument")
    return entry_id


def read_bound(text: bytes, *, upper: bool) -> Id:
    """Return an end of a range, which may be exclusive (`(7-1`).

    Raises:
        ResponseError: It is no id.
    """
    missing = LAST[1] if upper else 0
    if not text.startswith(b"("):
        return read_id(text, missing=missing)
    milliseconds, number = read_id(text[1:], missing=missing)
    if upper:
        return (milliseconds, number - 1) if number else (milliseconds - 1, LAST[1])
    return (milliseconds, number + 1) if number < LAST[1] else (milliseconds + 1, 0)
