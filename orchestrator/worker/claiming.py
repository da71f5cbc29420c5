"""Owns the claim of a hand-over: the spool first, then one script in Redis that claims and adds the event."""

import secrets
import time
from collections.abc import Callable
from dataclasses import replace

import structlog

from orchestrator.broker import codec
from orchestrator.broker.claims import Claim, ClaimAnswer
from orchestrator.core.event import TaskResult, TaskRunning, WorkerReject
from orchestrator.core.order import Order
from orchestrator.errors import BrokerUnavailable
from orchestrator.worker.ports import Claims, Identity
from orchestrator.worker.slots import SLOTS, slot_of
from orchestrator.worker.spool import Spool
from orchestrator.worker.spooled import AttemptFacts

RETRY_S = 0.25
NONCE_BYTES = 16

Spooled = tuple[int, int, bytes]
"""Slot, spool id and payload of an event."""

log = structlog.get_logger(__name__)


class Claiming:
    """Claims hand-overs for this worker.

    Args:
        identity: Who claims.
        spool: Keeps the event until its verdict.
        claims: Redis.
        patience_s: How long a claim without an answer is repeated, under the same nonce.
        pause: Waits that many seconds between two tries.
        monotonic: Seconds that never go back.
        new_nonce: Random words.
        slots: How many the deployment has.
    """

    def __init__(  # noqa: PLR0913  time and chance are handed in too
        self,
        identity: Identity,
        spool: Spool,
        claims: Claims,
        patience_s: float,
        pause: Callable[[float], None] = time.sleep,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        new_nonce: Callable[[], str] = lambda: secrets.token_hex(NONCE_BYTES),
        slots: int = SLOTS,
    ) -> None:
        self._identity = identity
        self._spool = spool
        self._claims = claims
        self._patience_s = patience_s
        self._pause = pause
        self._monotonic = monotonic
        self._new_nonce = new_nonce
        self._slots = slots

    def claim(
        self,
        order: Order,
        generation: str,
        facts: AttemptFacts,
        running: TaskRunning,
        limit_s: float | None = None,
    ) -> bool:
        """Claim the hand-over and report RUNNING; tell whether the attempt is ours to start.

        Args:
            order: The hand-over.
            generation: That of Redis when it was published.
            facts: What the main process must know to end the attempt, but for its deadline.
            running: The report.
            limit_s: How long the attempt may run, seconds, from the answer on: waiting for Redis is none of it.

        Raises:
            SpoolUnwritable: Nothing was claimed.
            BrokerUnavailable: Redis did not answer; the claim may or may not have been made.
        """
        if self._is_here(order):
            return False
        payload = codec.encode(running)
        slot = slot_of(order.workflow_instance_id, self._slots)
        spool_id = self._spool.begin(facts, slot, payload)
        claim = self._ask(order, generation, (slot, spool_id, payload))
        if claim is None:
            return False
        deadline = self._monotonic() + limit_s if limit_s is not None else None
        self._spool.won(spool_id, claim.entry, replace(facts, deadline=deadline))
        return True

    def give_back(self, order: Order, generation: str, event: WorkerReject | TaskResult) -> bool:
        """Claim the hand-over with its end in RUNNING's place: no copy can start then. Tell whether it was free.

        Raises:
            SpoolUnwritable: Nothing was claimed.
            BrokerUnavailable: Redis did not answer; the claim may or may not have been made.
        """
        if self._is_here(order):
            return False
        payload = codec.encode(event)
        slot = slot_of(order.workflow_instance_id, self._slots)
        spool_id = self._spool.propose(slot, order.id, payload)
        claim = self._ask(order, generation, (slot, spool_id, payload))
        if claim is None:
            return False
        self._spool.won(spool_id, claim.entry, None)
        return True

    def _is_here(self, order: Order) -> bool:
        """Whether this worker has this hand-over, or its report, already: Redis may have forgotten that."""
        if not self._spool.answers_for(order.id):
            return False
        log.info("worker.claim_refused", order_id=order.id, answer="HERE", holder=self._identity.holder)
        return True

    def _ask(self, order: Order, generation: str, event: Spooled) -> Claim | None:
        """Return the claim if it was won; else nothing is left of it in the spool."""
        try:
            claim = self._patiently(order, generation, event)
        except BaseException:
            self._spool.forget(event[1])
            raise
        if claim.answer is not ClaimAnswer.CLAIMED:
            log.info("worker.claim_refused", order_id=order.id, answer=str(claim.answer), holder=claim.holder)
            self._spool.forget(event[1])
            return None
        return claim

    def _patiently(self, order: Order, generation: str, event: Spooled) -> Claim:
        nonce, until = self._new_nonce(), self._monotonic() + self._patience_s
        while True:
            try:
                return self._claims.ask(order.id, self._identity.holder, nonce, generation, running=event)
            except BrokerUnavailable:
                if self._monotonic() >= until:
                    raise
                self._pause(RETRY_S)
