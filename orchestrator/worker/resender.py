"""Owns the second try of every report: what has no verdict and no stream entry is sent again."""

import random
import time
from collections import defaultdict, deque
from collections.abc import Callable, Sequence

import structlog

from orchestrator.broker import codec
from orchestrator.broker.sender import Outgoing
from orchestrator.core.event import WorkerOnline
from orchestrator.worker.ports import Identity, Sender
from orchestrator.worker.slots import SLOTS
from orchestrator.worker.spool import Spool
from orchestrator.worker.spooled import SpooledEvent

JITTER = (0.8, 1.2)

LOOKS = 0.4
"""Share of the re-send interval between two looks: what two looks have found is then sent within the interval."""

UNSENT_S = 1.0
"""How long a report lies in the spool before it is sent for the child that could not."""

log = structlog.get_logger(__name__)


class Resender:
    """Sends again what was lost on the way; a starting worker first sends what its predecessor left.

    Args:
        identity: Who speaks.
        spool: What has no verdict yet.
        sender: The streams.
        resend_s: Within so many seconds a report is sent again whose entry is gone.
        monotonic: Seconds that never go back: a wall clock that jumps would stop everything.
        chance: Random numbers in [0, 1): workers do not all look at the same time.
        slots: How many the deployment has: each of its streams is told that the worker is online.
    """

    def __init__(  # noqa: PLR0913  time and chance are handed in too
        self,
        identity: Identity,
        spool: Spool,
        sender: Sender,
        resend_s: float,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        chance: Callable[[], float] = random.random,
        slots: int = SLOTS,
    ) -> None:
        self._identity = identity
        self._spool = spool
        self._sender = sender
        self._resend_s = resend_s
        self._monotonic = monotonic
        self._chance = chance
        self._slots = slots
        self._due = monotonic() + self._pause_s()
        self._looked_at = 0
        self._unsent_due = monotonic()
        self._unsent_up_to = 0
        self._announced = False
        self._urgent: deque[int] = deque()
        self.resent = 0

    def deliver(self, spool_id: int) -> None:
        """Have one event sent with the next step."""
        self._urgent.append(spool_id)

    def announce(self) -> None:
        """Once: re-send what earlier incarnations left, then put ONLINE behind it into every stream.

        Raises:
            BrokerUnavailable: Not everything was sent; call again.
        """
        if self._announced:
            return
        self._spool.forget_unclaimed()
        self._send_missing(self._spool.inherited())
        payload = codec.encode(
            WorkerOnline(worker=self._identity.name, incarnation=self._identity.incarnation)
        )
        name = self._identity.name
        self._sender.send_all(
            [Outgoing(slot=slot, worker=name, spool_id=0, payload=payload) for slot in range(self._slots)]
        )
        self._announced = True
        log.info("worker.online", worker=self._identity.name, incarnation=self._identity.incarnation)

    def step(self) -> None:
        """Announce this worker if that is still to be done; send what is urgent; look at old events when due.

        Raises:
            BrokerUnavailable: What is left is tried again with the next call.
        """
        self.announce()
        self._send_urgent()
        self._send_unsent()
        if self._monotonic() >= self._due:
            self.resend()
            self._due = self._monotonic() + self._pause_s()

    def resend(self) -> None:
        """Send again every event that waited for its verdict at the last look too and whose stream entry is gone.

        Raises:
            BrokerUnavailable: What is left is tried again with the next call.
        """
        newest = self._spool.newest()
        self._send_missing(self._spool.events(up_to=self._looked_at))
        self._looked_at = newest

    def _pause_s(self) -> float:
        """Return how long it is to the next look."""
        return self._resend_s * LOOKS * (JITTER[0] + (JITTER[1] - JITTER[0]) * self._chance())

    def _send_unsent(self) -> None:
        """Send what never got into a stream and lay there a moment ago too: nobody is sending it just now.

        It need not wait for its turn: there is no entry that it could be a second one of.
        """
        now = self._monotonic()
        if now < self._unsent_due:
            return
        newest = self._spool.newest()
        for event in self._spool.unsent(up_to=self._unsent_up_to):
            self._send(event)
            self.resent += 1
        self._unsent_up_to = newest
        self._unsent_due = now + UNSENT_S

    def _send_urgent(self) -> None:
        while self._urgent:
            event = self._spool.event(self._urgent[0])
            if event is not None and event.entry is None:
                self._send(event)
            self._urgent.popleft()

    def _send_missing(self, events: Sequence[SpooledEvent]) -> None:
        present = self._present(events)
        missing = [one for one in events if one.entry is None or (one.slot, one.entry) not in present]
        for event in missing:
            self._send(event)
            self.resent += 1
        if missing:
            log.info("worker.resent", events=len(missing), total=self.resent)

    def _present(self, events: Sequence[SpooledEvent]) -> set[tuple[int, str]]:
        entries: dict[int, list[str]] = defaultdict(list)
        for event in events:
            if event.entry is not None:
                entries[event.slot].append(event.entry)
        return {(slot, one) for slot, ids in entries.items() for one in self._sender.existing(slot, ids)}

    def _send(self, event: SpooledEvent) -> None:
        entry = self._sender.send(event.slot, self._identity.name, event.spool_id, event.payload)
        self._spool.sent(event.spool_id, entry)
