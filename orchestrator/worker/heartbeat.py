"""Owns the heartbeat: what this worker is and answers for, and what it hears back."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from orchestrator.broker.presence import DRAINING, NO_BROKER, ONLINE, BeatAnswer, WorkerBeat
from orchestrator.errors import BrokerUnavailable
from orchestrator.worker.enforcer import Enforcer
from orchestrator.worker.notice_board import NoticeBoard
from orchestrator.worker.outcome import PARTITION, STALE, STOP
from orchestrator.worker.ports import Claims, Identity, Presence
from orchestrator.worker.spool import Spool

log = structlog.get_logger(__name__)

PARTITION_MARGIN_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """What a heartbeat reads.

    Attributes:
        groups: The queues this worker consumes, without its own.
        capacity: How many attempts it runs at once.
        resent: Reports sent again since its start.
        lost_s: After this long without a heartbeat the masters hold it for lost.
        tasks: The Celery tasks that nodes of type `celery` can call here.
        is_connected: Whether orders can reach it: it is connected to the broker.
        kill_when_cut_off: End everything shortly before that, instead of going on.
    """

    groups: Callable[[], tuple[str, ...]]
    capacity: Callable[[], int]
    resent: Callable[[], int]
    lost_s: float
    tasks: Callable[[], tuple[str, ...]] = tuple
    is_connected: Callable[[], bool] = lambda: True
    kill_when_cut_off: bool = False


class Heartbeat:
    """Shows that the worker lives, and obeys the answer.

    Args:
        identity: Who this worker is.
        pulse: What to say.
        spool: What it answers for.
        board: Whether it is draining.
        enforcer: Ends attempts.
        redis: Where heartbeats go, and the claims that they renew.
        monotonic: Seconds that never go back.
        pid: Id of this process.
    """

    def __init__(  # noqa: PLR0913  time and chance are handed in too
        self,
        identity: Identity,
        pulse: Pulse,
        spool: Spool,
        board: NoticeBoard,
        enforcer: Enforcer,
        redis: tuple[Presence, Claims],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        pid: Callable[[], int] = os.getpid,
    ) -> None:
        self._identity = identity
        self._pulse = pulse
        self._spool = spool
        self._board = board
        self._enforcer = enforcer
        self._presence, self._claims = redis
        self._monotonic = monotonic
        self._pid = pid
        self._stopping = False
        self._heard_at = monotonic()
        self._connected_at = monotonic()

    def step(self) -> None:
        """Give one sign of life, renew the claims, end what shall end.

        Raises:
            BrokerUnavailable: It did not get through.
        """
        beat = self._beat()
        try:
            answer = self._presence.beat(beat)
            lost = self._claims.renew(beat.running, self._identity.holder)
        except BrokerUnavailable:
            self._endure()
            raise
        self._heard_at = self._monotonic()
        self._obey(answer)
        for order_id in lost:
            self._enforcer.end(order_id, STALE)

    def stopping(self) -> None:
        """Drain from now on, whatever the answers say: the worker shuts down."""
        self._stopping = True
        self._board.draining = True

    def leave(self) -> None:
        """Say good-bye.

        Raises:
            BrokerUnavailable: Nobody heard it; the masters will find out.
        """
        self._presence.leave(self._identity.name)

    def _beat(self) -> WorkerBeat:
        return WorkerBeat(
            name=self._identity.name,
            incarnation=self._identity.incarnation,
            host=self._identity.host,
            pid=self._pid(),
            groups=self._pulse.groups(),
            capacity=self._pulse.capacity(),
            running=tuple(self._spool.claimed()),
            state=self._state(),
            spooled=self._spool.count(),
            resent=self._pulse.resent(),
            tasks=self._pulse.tasks(),
        )

    def _state(self) -> str:
        """Return what to say of itself; the broker gets the patience that a silent worker gets."""
        now = self._monotonic()
        if self._pulse.is_connected():
            self._connected_at = now
        if self._board.draining:
            return DRAINING
        return NO_BROKER if now - self._connected_at > self._pulse.lost_s else ONLINE

    def _obey(self, answer: BeatAnswer) -> None:
        draining = self._stopping or answer.drain
        if draining != self._board.draining:
            self._board.draining = draining
            log.info("worker.draining" if draining else "worker.resumed", worker=self._identity.name)
        for stop in answer.stops:
            self._enforcer.end(stop.order_id, STOP)

    def _endure(self) -> None:
        """End everything before the masters start it elsewhere, where that is wanted."""
        limit = max(self._pulse.lost_s - PARTITION_MARGIN_S, self._pulse.lost_s / 2)
        if self._pulse.kill_when_cut_off and self._monotonic() - self._heard_at > limit:
            self._enforcer.end_all(PARTITION)
