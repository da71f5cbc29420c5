"""Owns reading: stream entries become items; own pending entries first, and again after every Redis error."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from orchestrator.broker.codec import decode
from orchestrator.broker.stream import Entry
from orchestrator.core.event import WorkerOnline
from orchestrator.errors import BrokerUnavailable, MalformedEvent
from orchestrator.master.inbox import Inbox
from orchestrator.master.items import Item, OnlineItem, PoisonItem, ReportItem, WakeItem
from orchestrator.master.silence import Silence

BLOCK_MS = 500
FROM_THE_START = "0"
STRAY_S = 10.0
"""How often entries are taken from consumers that do not own these slots: a zombie may have read some since."""

AGAIN_S = 2.0
"""A Redis that can be read and not written must not be asked without a pause."""


class EventSource(Protocol):
    """The streams."""

    def ensure_groups(self, slots: Iterable[int]) -> None:
        """Create what is missing, from the beginning of each stream."""
        ...

    def claim_pending(self, slots: Iterable[int]) -> int:
        """Take over what other consumers read and did not acknowledge."""
        ...

    def read(
        self,
        slots: Sequence[int],
        *,
        count: int,
        block_ms: int | None = None,
        pending_after: Mapping[int, str] | None = None,
    ) -> Sequence[Entry]:
        """Return entries: own pending ones after the given ids, or new ones."""
        ...


class Reader:
    """Feeds the inbox.

    Args:
        source: The streams.
        inbox: Where items go; when it is full the reader waits.
        silence: Told when Redis is away.
        slots: The slots to read.
        monotonic: Seconds that never go back.
        on_wake: Called when an entry says that a command was left.
    """

    def __init__(
        self,
        source: EventSource,
        inbox: Inbox,
        silence: Silence,
        slots: Sequence[int],
        monotonic: Callable[[], float],
        *,
        on_wake: Callable[[], None],
    ) -> None:
        self._source = source
        self._inbox = inbox
        self._silence = silence
        self._slots = tuple(slots)
        self._monotonic = monotonic
        self._on_wake = on_wake
        self._pending: dict[int, str] = {}
        self._prepared = False
        self._again_at: float | None = None
        self._stray_at = float("inf")

    def again(self) -> None:
        """Begin again at the own pending entries, after a while: some got no verdict."""
        if self._again_at is None:
            self._again_at = self._monotonic() + AGAIN_S

    def step(self, block_ms: int = BLOCK_MS) -> int:
        """Read once; return how many entries came.

        Raises:
            BrokerUnavailable: Redis is away; the next step begins again at the own pending entries.
        """
        try:
            return self._step(block_ms)
        except BrokerUnavailable:
            self._prepared = False
            self._silence.interrupted()
            raise

    def _step(self, block_ms: int) -> int:
        room = self._inbox.wait_for_room(block_ms / 1000)
        if not room:
            return 0
        if self._again_at is not None and self._monotonic() >= self._again_at:
            self._again_at, self._prepared = None, False
        if not self._prepared:
            self._source.ensure_groups(self._slots)
            self._source.claim_pending(self._slots)
            self._pending = dict.fromkeys(self._slots, FROM_THE_START)
            self._prepared = True
            self._stray_at = self._monotonic() + STRAY_S
        if self._monotonic() >= self._stray_at:
            self._stray_at = self._monotonic() + STRAY_S
            if self._source.claim_pending(self._slots):
                self._pending = dict.fromkeys(self._slots, FROM_THE_START)
        count = min(max(room // len(self._slots), 16), 1000)
        return self._read_pending(self._pending, count) if self._pending else self._read_new(count, block_ms)

    def _read_pending(self, after: Mapping[int, str], count: int) -> int:
        """Read own pending entries, each slot from behind the last one, until none are left."""
        entries = self._source.read(list(after), count=count, pending_after=after)
        last = {entry.slot: entry.id for entry in entries}
        self._pending = {slot: last[slot] for slot in after if slot in last}
        self._pass_on(entries, repeated=True)
        return len(entries)

    def _read_new(self, count: int, block_ms: int) -> int:
        if block_ms:
            self._inbox.lull()
        began = self._monotonic()
        entries = self._source.read(self._slots, count=count, block_ms=block_ms)
        self._pass_on(entries)
        self._inbox.read_to_end(self._read_to_end(entries, count), began)
        return len(entries)

    def _read_to_end(self, entries: Sequence[Entry], count: int) -> Sequence[int]:
        """Return the slots of which fewer than `count` entries came: no more were there."""
        if len(entries) < count:
            return self._slots
        number = Counter(entry.slot for entry in entries)
        return [slot for slot in self._slots if number[slot] < count]

    def _pass_on(self, entries: Sequence[Entry], *, repeated: bool = False) -> None:
        items = [item_of(entry, repeated=repeated) for entry in entries]
        if any(isinstance(item, WakeItem) for item in items):
            self._on_wake()
        if items:
            self._inbox.put_reports(items)


def item_of(entry: Entry, *, repeated: bool = False) -> Item:
    """Return what an entry, perhaps one that was read before, is for the loop; undecodable ones are poison."""
    if entry.kind == "wake":
        return WakeItem(entry)
    try:
        event = decode(entry.payload)
    except MalformedEvent as error:
        return PoisonItem(entry, str(error))
    if isinstance(event, WorkerOnline):
        return OnlineItem(event, entry, repeated)
    return ReportItem(event, entry)
