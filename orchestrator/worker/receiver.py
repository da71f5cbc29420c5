"""Owns what masters tell this worker: verdicts empty the spool, `stale` and stop requests end attempts."""

from collections.abc import Sequence

import structlog

from orchestrator.broker.inbox import StopRequest, Verdict
from orchestrator.worker.enforcer import Enforcer
from orchestrator.worker.outcome import STALE, STOP
from orchestrator.worker.ports import Inbox
from orchestrator.worker.spool import Spool

log = structlog.get_logger(__name__)

STALE_VERDICT = "stale"
BURIED_VERDICT = "buried"


class Receiver:
    """Receives and obeys.

    Args:
        inbox: What came in.
        spool: What waits for verdicts.
        enforcer: Ends attempts.
        wait_s: How long one step waits for the first message.
    """

    def __init__(self, inbox: Inbox, spool: Spool, enforcer: Enforcer, wait_s: float) -> None:
        self._inbox = inbox
        self._spool = spool
        self._enforcer = enforcer
        self._wait_s = wait_s

    def step(self) -> None:
        """Wait for messages and obey them.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        messages = self._inbox.receive(self._wait_s)
        if messages:
            self.obey(messages)

    def obey(self, messages: Sequence[Verdict | StopRequest]) -> None:
        """End what must end, then delete what has its verdict."""
        for message in messages:
            if isinstance(message, StopRequest):
                self._enforcer.end(message.order_id, STOP)
            elif message.verdict != "ok":
                self._object(message)
        self._spool.settle([one.spool_id for one in messages if isinstance(one, Verdict)])

    def _object(self, verdict: Verdict) -> None:
        event = self._spool.event(verdict.spool_id)
        if event is None:
            return
        if verdict.verdict == BURIED_VERDICT:
            log.error("worker.report_buried", order_id=event.order_id, spool_id=event.spool_id)
        if verdict.verdict == STALE_VERDICT:
            self._enforcer.end(event.order_id, STALE)
