"""Owns twins of the worker's ports, in memory, and builders of values with defaults."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from orchestrator.broker.claims import Claim, ClaimAnswer
from orchestrator.broker.inbox import StopRequest, Verdict
from orchestrator.broker.presence import BeatAnswer, WorkerBeat
from orchestrator.broker.sender import Outgoing
from orchestrator.core.order import Order
from orchestrator.errors import BrokerUnavailable
from orchestrator.worker.ports import Identity
from orchestrator.worker.spool import Spool
from orchestrator.worker.spooled import AttemptFacts

IDENTITY = Identity(name="w@h", incarnation="now", host="h")


def make_order(**fields: Any) -> Order:
    """Return an order."""
    values: dict[str, Any] = {
        "workflow_instance_id": 1, "workflow": "flow", "task": "one", "attempt": 1, "dispatch": 1,
        "ticket": "secret", "type": "noop",
    }  # fmt: skip
    return Order(**{**values, **fields})


def make_facts(**fields: Any) -> AttemptFacts:
    """Return the facts of an attempt that this incarnation runs."""
    values: dict[str, Any] = {"order_id": "1:one:1:1", "incarnation": "now", "pid": 2**22 + 1}
    return AttemptFacts(**{**values, **fields})


class TwinStreams:
    """Streams that can be away."""

    def __init__(self) -> None:
        self.entries: dict[str, Outgoing] = {}
        self.away = 0
        self._count = 0

    def send(self, slot: int, worker: str, spool_id: int, payload: bytes) -> str:
        """Add one entry."""
        return self.send_all([Outgoing(slot=slot, worker=worker, spool_id=spool_id, payload=payload)])[0]

    def send_all(self, events: Sequence[Outgoing]) -> list[str]:
        """Add entries."""
        self._answer()
        return [self._add(one) for one in events]

    def existing(self, slot: int, ids: Collection[str]) -> set[str]:
        """Return which entries are there."""
        self._answer()
        return {one for one in ids if one in self.entries and self.entries[one].slot == slot}

    def _add(self, event: Outgoing) -> str:
        self._count += 1
        self.entries[f"{self._count}-0"] = event
        return f"{self._count}-0"

    def _answer(self) -> None:
        if self.away:
            self.away -= 1
            raise BrokerUnavailable("away")


class TwinClaims:
    """Claims by the rules of PROTOCOL section 2; `lose_replies` carries out and then fails."""

    def __init__(self, streams: TwinStreams) -> None:
        self.held: dict[str, str] = {}
        self.generation = "g"
        self.lose_replies = 0
        self.renewed: list[str] = []
        self._streams = streams

    def ask(
        self,
        order_id: str,
        holder: str,
        nonce: str,
        generation: str,
        *,
        running: tuple[int, int, bytes] | None = None,
    ) -> Claim:
        """Claim as the script in Redis does."""
        if generation != self.generation:
            return Claim(answer=ClaimAnswer.OLD_GENERATION)
        value = f"{holder}|{nonce}"
        if self.held.setdefault(order_id, value) != value:
            return Claim(answer=ClaimAnswer.TAKEN, holder=self.held[order_id].rpartition("|")[0])
        entry = self._streams.send(running[0], holder, running[1], running[2]) if running else None
        if self.lose_replies:
            self.lose_replies -= 1
            raise BrokerUnavailable("the reply was lost")
        return Claim(answer=ClaimAnswer.CLAIMED, holder=holder, entry=entry)

    def renew(self, order_ids: Sequence[str], holder: str) -> frozenset[str]:
        """Remember what was renewed."""
        self.renewed = list(order_ids)
        return frozenset(one for one in order_ids if not self.held.get(one, holder).startswith(holder))


class TwinPresence:
    """Heartbeats that are remembered, with an answer that tests set."""

    def __init__(self) -> None:
        self.beats: list[WorkerBeat] = []
        self.drain = False
        self.stops: tuple[StopRequest, ...] = ()
        self.away = False

    def beat(self, beat: WorkerBeat) -> BeatAnswer:
        """Remember a heartbeat."""
        if self.away:
            raise BrokerUnavailable("away")
        self.beats.append(beat)
        return BeatAnswer(drain=self.drain, stops=self.stops, redis_now=datetime.now(UTC))

    def leave(self, name: str) -> None:
        """Forget a worker."""
        self.beats = [one for one in self.beats if one.name != name]


class TwinInbox:
    """An inbox that tests fill."""

    def __init__(self) -> None:
        self.messages: list[Verdict | StopRequest] = []

    def receive(self, timeout_s: float) -> list[Verdict | StopRequest]:  # noqa: ARG002 - the port's signature
        """Return what tests put in."""
        messages, self.messages = self.messages, []
        return messages


def started(spool: Spool, order_id: str) -> int:
    """Return the spool id of the RUNNING event of an attempt whose claim was won."""
    facts = make_facts(order_id=order_id)
    spool_id = spool.begin(facts, 0, b"running")
    spool.won(spool_id, None, facts)
    return spool_id
