"""Owns what the worker asks of Redis, as ports: the broker carries them out, tests have twins in memory."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from orchestrator.broker.claims import Claim
from orchestrator.broker.inbox import StopRequest, Verdict
from orchestrator.broker.presence import BeatAnswer, WorkerBeat
from orchestrator.broker.sender import Outgoing


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who this worker is.

    Attributes:
        name: The worker's name (`celery@host`).
        incarnation: Random id of this start of its main process.
        host: The machine's name.
    """

    name: str
    incarnation: str
    host: str

    @property
    def holder(self) -> str:
        """How a claim names this worker."""
        return f"{self.name}|{self.incarnation}"


class Sender(Protocol):
    """Adds events to the streams of their slots. All raise BrokerUnavailable."""

    def send(self, slot: int, worker: str, spool_id: int, payload: bytes) -> str:
        """Add one event; return the id of its stream entry."""

    def send_all(self, events: Sequence[Outgoing]) -> list[str]:
        """Add events in order; return the ids of their stream entries."""

    def existing(self, slot: int, ids: Collection[str]) -> set[str]:
        """Return those of the entries `ids` that are still in the stream."""


class Claims(Protocol):
    """Decides who may run a hand-over. Both raise BrokerUnavailable."""

    def ask(
        self,
        order_id: str,
        holder: str,
        nonce: str,
        generation: str,
        *,
        running: tuple[int, int, bytes] | None = None,
    ) -> Claim:
        """Claim a hand-over and add its RUNNING event (slot, spool id, payload), in one step."""

    def renew(self, order_ids: Sequence[str], holder: str) -> Collection[str]:
        """Prolong claims; return those that somebody else holds."""


class Inbox(Protocol):
    """What masters have to tell this worker."""

    def receive(self, timeout_s: float) -> list[Verdict | StopRequest]:
        """Return what came in, waiting up to `timeout_s` for the first, or raise BrokerUnavailable."""


class Presence(Protocol):
    """Carries heartbeats. Both raise BrokerUnavailable."""

    def beat(self, beat: WorkerBeat) -> BeatAnswer:
        """Show that a worker lives; return what it must know."""

    def leave(self, name: str) -> None:
        """Forget a worker that ended in order."""
