"""Owns what becomes of an order that somebody revoked by Celery's own means: it is KILLED, not tried elsewhere."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from orchestrator.broker import codec
from orchestrator.core.event import TaskResult
from orchestrator.core.order import Order
from orchestrator.errors import BrokerUnavailable, MalformedEvent
from orchestrator.worker.claiming import Claiming
from orchestrator.worker.enforcer import Enforcer
from orchestrator.worker.outcome import REVOKED, Place, Speaker, ended_by
from orchestrator.worker.ports import Identity
from orchestrator.worker.spool_file import SpoolUnwritable

log = structlog.get_logger(__name__)


class Revocations:
    """Ends revoked orders, whether they run here or still wait here.

    Args:
        identity: Who speaks.
        claiming: Claims what waits, so that no copy of it starts.
        enforcer: Ends what runs.
        log_path: Log file of an attempt, by instance, task and attempt.
        apart: Carries out what may wait for Redis, beside Celery's own loop.
    """

    def __init__(
        self,
        identity: Identity,
        claiming: Claiming,
        enforcer: Enforcer,
        log_path: Callable[[int, str, int], str],
        *,
        apart: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        self._speaker = Speaker(identity)
        self._claiming = claiming
        self._enforcer = enforcer
        self._log_path = log_path
        self._apart = apart or _on_a_thread

    def note(self, message: Mapping[str, Any]) -> None:
        """End the order of `message`, soon; a message that is none of ours is left alone."""
        try:
            order, generation = codec.order_from_message(message)
        except MalformedEvent:
            return
        log.info("worker.revoked", order_id=order.id)
        self._apart(lambda: self._end(order, generation))

    def _end(self, order: Order, generation: str) -> None:
        if self._enforcer.end(order.id, REVOKED):
            return
        try:
            won = self._claiming.give_back(order, generation, self._killed(order))
        except (BrokerUnavailable, SpoolUnwritable) as error:
            log.warning("worker.revoke_in_doubt", order_id=order.id, error=str(error))
            return
        if not won:
            self._enforcer.end(order.id, REVOKED)  # it began in between

    def _killed(self, order: Order) -> TaskResult:
        path = self._log_path(order.workflow_instance_id, order.task, order.attempt)
        return self._speaker.result(order, Place(pid=0, process_group=None, log_path=path), ended_by(REVOKED))


def _on_a_thread(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="worker-revoked", daemon=True).start()
