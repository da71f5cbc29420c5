"""Owns the life of a master process: own the slots, take over, run the threads, leave in good order."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from threading import Event
from typing import Protocol

import structlog

from orchestrator.alerting.delivery import Delivery
from orchestrator.core.alerting import Target
from orchestrator.core.changes import Leases
from orchestrator.core.retry import backoff_s
from orchestrator.errors import LeaseLost, RetryEvent, StoreUnavailable
from orchestrator.master.announcer import Announcer, OutboxSource
from orchestrator.master.assembly import Master, assemble
from orchestrator.master.chores import chores
from orchestrator.master.deliveries import Deliveries, DeliverySource
from orchestrator.master.ingredients import Identity, Limits, Ports, Timing, World
from orchestrator.master.ownership import Ownership
from orchestrator.master.speech import Speech
from orchestrator.master.threads import Worker

log = structlog.get_logger(__name__)

TURN_S = 0.5
"""Longest wait of one turn of the loop."""


class AlertTable(OutboxSource, DeliverySource, Protocol):
    """The outbox: alerts to tell and to deliver."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What the daemon runs on.

    Attributes:
        ports: Databases, Redis, the broker.
        leases: The leases of the slots.
        outbox: Alerts to tell and to deliver.
        carry: Delivers one alert to one target.
        everywhere: Targets of the whole deployment.
        database_now: Asks the database for its time.
        monotonic: Seconds that never go back.
        chance: Random numbers in [0, 1).
        new_ticket: Random secrets.
    """

    ports: Ports
    leases: Ownership
    outbox: AlertTable
    carry: Callable[[Delivery], None]
    everywhere: Sequence[Target]
    database_now: Callable[[], datetime]
    monotonic: Callable[[], float]
    chance: Callable[[], float]
    new_ticket: Callable[[], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Names and time limits of this master; seconds."""

    name: str
    incarnation: str
    pid: int
    lease_s: float
    renewal_s: float
    timing: Timing
    limits: Limits


class Daemon:
    """Serves until `stop` is called; losing the leases sends it back to waiting for them.

    Args:
        service: What it runs on.
        plan: Names and limits.
    """

    def __init__(self, service: Service, plan: Plan) -> None:
        self._service = service
        self._plan = plan
        self._stopping = Event()
        self._leaving = Event()

    def stop(self) -> None:
        """Ask for a graceful stop: the turn that runs is finished. May be called from a signal handler."""
        self._stopping.set()
        self._leaving.set()

    def run(self) -> int:
        """Serve until stopped; return the exit code: 0, or 1 when a thread died of a bug."""
        log.info("master.started", name=self._plan.name, incarnation=self._plan.incarnation)
        code = 0
        while not self._stopping.is_set() and code == 0:
            leases = self._acquire()
            if leases is not None:
                code = self._serve(leases)
        log.info("master.stopped", name=self._plan.name, code=code)
        return code

    def _acquire(self) -> Leases | None:
        """Wait until every slot is ours; `None` when asked to stop meanwhile."""
        failures, waiting = 0, False
        while not self._stopping.is_set():
            try:
                leases = self._service.leases.acquire(self._plan.lease_s)
            except StoreUnavailable as error:
                if failures == 0:
                    log.warning("store.unavailable", error=str(error))
                self._stopping.wait(backoff_s(failures, self._service.chance(), first=0.1, cap=5.0))
                failures += 1
                continue
            if leases is not None:
                return leases
            if not waiting:
                log.info("master.standby", reason="another master owns the slots")
                waiting = True
            self._stopping.wait(self._plan.renewal_s)
        return None

    def _serve(self, leases: Leases) -> int:
        """Run one reign: from owning the slots to losing or releasing them."""
        self._leaving.clear()
        if self._stopping.is_set():
            self._leaving.set()
        try:
            master = self._assemble(leases)
        except StoreUnavailable as error:
            log.warning("store.unavailable", error=str(error))
            self._service.leases.release(leases)
            return 0
        speech = self._speech(master, leases)
        threads = self._threads(master, leases, speech)
        for thread in threads:
            thread.start()
        try:
            self._turns(master)
        except LeaseLost as error:
            log.warning("lease.lost", slots=len(error.slots))
        finally:
            self._leaving.set()
            self._end(master, threads, leases, speech)
        return int(any(thread.error is not None for thread in threads))

    def _assemble(self, leases: Leases) -> Master:
        service, plan = self._service, self._plan
        world = World(
            monotonic=service.monotonic,
            database_now=service.database_now(),
            chance=service.chance,
            new_ticket=service.new_ticket,
        )
        identity = Identity(name=plan.name, incarnation=plan.incarnation, pid=plan.pid, leases=leases)
        return assemble(service.ports, plan.timing, world, identity, plan.limits)

    def _turns(self, master: Master) -> None:
        more = True
        while more and not self._leaving.is_set():
            try:
                more = master.takeover.step(master.loop.context())
            except RetryEvent as error:
                log.warning("takeover.waits", error=str(error))
                self._leaving.wait(self._plan.renewal_s)
        while not self._leaving.is_set():
            master.loop.step(TURN_S)

    def _speech(self, master: Master, leases: Leases) -> Speech:
        service = self._service
        return Speech(
            announcer=Announcer(service.outbox, leases.epochs, master.bulletin, service.everywhere),
            deliveries=Deliveries(
                service.outbox, leases.epochs, service.carry, service.monotonic, service.chance
            ),
        )

    def _threads(self, master: Master, leases: Leases, speech: Speech) -> list[Worker]:
        plan = self._plan
        return [
            Worker(one.name, one.step, self._leaving, pause_s=one.pause_s, chance=self._service.chance)
            for one in chores(
                master,
                speech,
                lambda: self._renew(leases),
                plan.renewal_s,
                plan.timing,
                TURN_S,
            )
        ]

    def _renew(self, leases: Leases) -> None:
        try:
            self._service.leases.renew(leases, self._plan.lease_s)
        except LeaseLost:
            log.warning("lease.lost", slots=len(leases.epochs))
            self._leaving.set()

    def _end(self, master: Master, threads: Sequence[Worker], leases: Leases, speech: Speech) -> None:
        """Wait for the threads, then give the leases back so that the next master need not wait."""
        for thread in threads:
            if not thread.join(timeout_s=5.0):
                log.warning("thread.late", thread=thread.name)
        if self._stopping.is_set():
            speech.last_words()
        speech.deliveries.close()
        self._service.leases.release(leases)
        with suppress(RetryEvent):  # what is shown expires
            master.status.leave()
