"""Owns the reports of this worker: into the spool first, then into the stream of the slot."""

import time
from collections.abc import Callable

import structlog

from orchestrator.broker import codec
from orchestrator.core.event import WorkerEvent
from orchestrator.crash import crash_point
from orchestrator.errors import BrokerUnavailable
from orchestrator.worker.ports import Sender
from orchestrator.worker.slots import SLOTS, slot_of
from orchestrator.worker.spool import Spool
from orchestrator.worker.spool_file import SpoolUnwritable

HOLD_S = 0.5

log = structlog.get_logger(__name__)


class Reporter:
    """Reports the end of hand-overs.

    Args:
        spool: Keeps each event until its verdict.
        sender: Adds it to the stream.
        worker: This worker's name: where the verdict goes.
        pause: Waits that many seconds, when neither the spool nor Redis takes an event.
        slots: How many the deployment has.
    """

    def __init__(
        self,
        spool: Spool,
        sender: Sender,
        worker: str,
        pause: Callable[[float], None] = time.sleep,
        *,
        slots: int = SLOTS,
    ) -> None:
        self._spool = spool
        self._sender = sender
        self._worker = worker
        self._pause = pause
        self._slots = slots
        self._left_behind: list[str] = []

    def report(self, order_id: str, workflow_instance_id: int, event: WorkerEvent) -> None:
        """Return when the event of the order `order_id` is safe: in the spool, or at least in the stream.

        The disk is full and Redis is away: the caller is held until one of both takes the event.

        Raises:
            MalformedEvent: The event holds what cannot be stored; nothing was reported.
        """
        payload = codec.encode(event)
        slot = slot_of(workflow_instance_id, self._slots)
        while True:
            try:
                spool_id = self._spool.write(slot, order_id, payload)
            except SpoolUnwritable as error:
                if self._sent_unspooled(order_id, slot, payload, error):
                    return
                continue
            crash_point("worker.after_spool")
            self._send(slot, spool_id, payload)
            self._forget_left_behind()
            return

    def _send(self, slot: int, spool_id: int, payload: bytes) -> None:
        try:
            entry = self._sender.send(slot, self._worker, spool_id, payload)
            crash_point("worker.after_send")
            self._spool.sent(spool_id, entry)
        except (BrokerUnavailable, SpoolUnwritable) as error:
            log.warning("worker.report_waits", spool_id=spool_id, error=str(error))  # the re-sender does it

    def _sent_unspooled(self, order_id: str, slot: int, payload: bytes, error: SpoolUnwritable) -> bool:
        """Send past the spool; the attempt's own row goes when the spool can be written again."""
        log.error("worker.spool_unwritable", order_id=order_id, error=str(error))
        try:
            self._sender.send(slot, self._worker, 0, payload)
        except BrokerUnavailable:
            self._pause(HOLD_S)
            return False
        self._left_behind.append(order_id)
        return True

    def _forget_left_behind(self) -> None:
        try:
            while self._left_behind:
                self._spool.remove_attempt(self._left_behind[-1])
                self._left_behind.pop()
        except SpoolUnwritable:
            return
