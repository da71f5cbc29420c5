"""Owns in-memory stand-ins for Redis and the broker, as the master sees them; each keeps the real one's word."""

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from orchestrator.broker.claims import NOTHING, RecallAnswer
from orchestrator.broker.presence import WorkerBeat
from orchestrator.broker.stream import Entry
from orchestrator.core.order import Order
from orchestrator.errors import BrokerUnavailable


class Clock(Protocol):
    """Tells the time of the stand-in."""

    def __call__(self) -> datetime:
        """Return now, aware UTC."""
        ...


class MemoryStreams:
    """The event streams of all slots, with one consumer group: read, pending, acknowledged.

    Attributes:
        now: Tells the time with which the ids of entries begin.
        away: While true, every call raises BrokerUnavailable.
        acknowledged: Every verdict given, in order.
        dead: Buried entries with their reasons.
    """

    def __init__(self) -> None:
        self.now: Clock = lambda: datetime.fromtimestamp(0, UTC)
        self.away = False
        self.acknowledged: list[tuple[Entry, str]] = []
        self.dead: list[tuple[Entry, str]] = []
        self._new: dict[int, deque[Entry]] = {}
        self._pending: dict[int, dict[str, Entry]] = {}
        self._count = 0

    def add(
        self, slot: int, payload: bytes, *, worker: str = "", spool_id: int = 0, kind: str = "event"
    ) -> Entry:
        """Add an entry, as a worker does."""
        self._answer()
        self._count += 1
        entry = Entry(
            slot=slot,
            id=f"{int(self.now().timestamp() * 1000):013d}-{self._count:012d}",
            worker=worker,
            spool_id=spool_id,
            payload=payload,
            kind=kind,
        )
        self._new.setdefault(slot, deque()).append(entry)
        return entry

    def wake(self, slot: int) -> None:
        """Say that a command was left for a run of this slot."""
        self.add(slot, b"", kind="wake")

    def ensure_groups(self, slots: Iterable[int]) -> None:  # noqa: ARG002  a port's shape
        """Nothing is missing in memory."""
        self._answer()

    def claim_pending(self, slots: Iterable[int]) -> int:  # noqa: ARG002  a port's shape
        """There is one consumer: nothing to take over."""
        self._answer()
        return 0

    def read(
        self,
        slots: Sequence[int],
        *,
        count: int,
        block_ms: int | None = None,  # noqa: ARG002  nobody else could add anything while this one waits
        pending_after: Mapping[int, str] | None = None,
    ) -> list[Entry]:
        """Return own pending entries behind the given ids, or new ones, which thereby become pending."""
        self._answer()
        if pending_after is not None:
            return [
                entry
                for slot in slots
                for entry in list(self._pending.get(slot, {}).values())[:count]
                if entry.id > pending_after.get(slot, "0")
            ]
        found = []
        for slot in slots:
            queue = self._new.get(slot, deque())
            for _ in range(min(count, len(queue))):
                entry = queue.popleft()
                self._pending.setdefault(slot, {})[entry.id] = entry
                found.append(entry)
        return found

    def fetch(self, slot: int, ids: Sequence[str]) -> list[Entry]:
        """Return those of the entries that are still there."""
        self._answer()
        return [self._pending[slot][one] for one in ids if one in self._pending.get(slot, {})]

    def acknowledge(self, verdicts: Sequence[tuple[Entry, str]]) -> None:
        """Remove entries, and note the verdicts."""
        self._answer()
        for entry, verdict in verdicts:
            self._pending.get(entry.slot, {}).pop(entry.id, None)
            self.acknowledged.append((entry, verdict))

    def bury(self, entry: Entry, reason: str) -> None:
        """Keep a dead letter."""
        self._answer()
        self.dead.append((entry, reason))

    @property
    def waiting(self) -> int:
        """How many entries have no verdict yet."""
        return sum(len(one) for one in (*self._new.values(), *self._pending.values()))

    def _answer(self) -> None:
        if self.away:
            raise BrokerUnavailable("the stand-in for Redis is switched off")


@dataclass(slots=True)
class MemoryBroker:
    """Celery queues, claims, stop requests and the generation, in memory.

    Attributes:
        away: While true, every call raises BrokerUnavailable.
        queues: Queue name to the orders in it, with the generation they were published under.
        claims: Order id to its holder: `worker|incarnation`, or `recalled`.
        stops: Order ids that a master wants to end.
    """

    away: bool = False
    queues: dict[str, deque[tuple[Order, str]]] = field(default_factory=dict)
    claims: dict[str, str] = field(default_factory=dict)
    stops: set[str] = field(default_factory=set)
    generation: str = "1"
    is_new: bool = True
    published: list[str] = field(default_factory=list)

    def publish(self, orders: Sequence[Order], generation: str) -> None:
        """Put orders into their queues."""
        self._answer()
        for order in orders:
            self.queues.setdefault(order.queue, deque()).append((order, generation))
            self.published.append(order.id)

    def take(self, queue: str) -> Order | None:
        """Return the next order of a queue whose generation is the present one, or `None`."""
        self._answer()
        waiting = self.queues.get(queue, deque())
        while waiting:
            order, generation = waiting.popleft()
            if generation == self.generation:
                return order
        return None

    def claim(self, order_id: str, holder: str) -> bool:
        """Set a claim once; return whether this call did: a message that comes twice starts once."""
        self._answer()
        if order_id in self.claims:
            return False
        self.claims[order_id] = holder
        return True

    def recall(
        self,
        order_ids: Sequence[str],
        *,
        published: Mapping[str, str] = NOTHING,  # noqa: ARG002  a port's shape
        settle_s: float = 0.0,  # noqa: ARG002  a port's shape
    ) -> list[RecallAnswer]:
        """Take back what nobody has claimed."""
        self._answer()
        answers = []
        for order_id in order_ids:
            holder = self.claims.setdefault(order_id, "recalled")
            won = holder == "recalled"
            answers.append(RecallAnswer(order_id=order_id, won=won, holder=None if won else holder))
        return answers

    def request(self, worker: str, order_ids: Collection[str], reason: str) -> None:  # noqa: ARG002  a port's shape
        """Note that these attempts shall end."""
        self._answer()
        self.stops.update(order_ids)

    def current(self) -> str:
        """Return the generation."""
        self._answer()
        return self.generation

    def is_settled(self, settle_s: float) -> bool:  # noqa: ARG002  a port's shape
        """Nothing is forgotten by itself."""
        self._answer()
        return True

    def ensure(self) -> tuple[str, bool]:
        """Return the generation, and whether nobody asked since it changed."""
        self._answer()
        changed, self.is_new = self.is_new, False
        return self.generation, changed

    def _answer(self) -> None:
        if self.away:
            raise BrokerUnavailable("the stand-in for Redis is switched off")


@dataclass(slots=True)
class MemoryBeats:
    """The heartbeats of simulated workers."""

    now: Clock
    beats: dict[str, tuple[WorkerBeat, datetime]] = field(default_factory=dict)

    def beat(self, beat: WorkerBeat) -> None:
        """Show that a worker lives."""
        self.beats[beat.incarnation] = (beat, self.now())

    def living(self) -> tuple[datetime, list[tuple[WorkerBeat, datetime]]]:
        """Return the time and every known worker."""
        return self.now(), list(self.beats.values())


class MemoryBoard:
    """Master status and people's requests, in memory."""

    def __init__(self) -> None:
        self.shown: dict[str, dict[str, Any]] = {}
        self.requests: list[dict[str, Any]] = []

    def publish(self, name: str, status: Mapping[str, Any]) -> None:
        """Replace what is shown of a master."""
        self.shown[name] = dict(status)

    def leave(self, name: str) -> None:
        """Show nothing of a master any more."""
        self.shown.pop(name, None)

    def take(self) -> list[dict[str, Any]]:
        """Return and remove what people left."""
        taken, self.requests = self.requests, []
        return taken
