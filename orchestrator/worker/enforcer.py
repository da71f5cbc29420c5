"""Owns the end of attempts that must end: TERM, some seconds, KILL, for the whole process group."""

import os
import signal
import threading
import time
from collections.abc import Callable

import structlog

from orchestrator.worker.interrupt import interrupt_thread
from orchestrator.worker.outcome import PARTITION, TIMEOUT
from orchestrator.worker.process_groups import kill_group, signal_group
from orchestrator.worker.spool import Spool
from orchestrator.worker.spooled import AttemptFacts

log = structlog.get_logger(__name__)


class Enforcer:
    """Ends attempts of this worker from its main process; what runs them reports their end.

    Args:
        spool: Knows what runs here.
        incarnation: This start of the main process; attempts of others are not ours to end.
        kill_s: Seconds between TERM and KILL.
        clock: Seconds that never go back.
        signal_child: Sends a signal to a process that has no group of its own.
    """

    def __init__(
        self,
        spool: Spool,
        incarnation: str,
        kill_s: float,
        clock: Callable[[], float] = time.monotonic,
        *,
        signal_child: Callable[[int, signal.Signals], None] | None = None,
    ) -> None:
        self._spool = spool
        self._incarnation = incarnation
        self._kill_s = kill_s
        self._clock = clock
        self._signal_child = signal_child or _signal_child
        self._lock = threading.Lock()

    def end(self, order_id: str, ending: str) -> bool:
        """Begin to end an attempt; tell whether it runs here and was not being ended yet.

        Args:
            order_id: The hand-over.
            ending: Why: `timeout`, `stop`, `stale` or `partition`.
        """
        with self._lock:
            if not self._spool.end_attempt(order_id, ending, self._clock()):
                return False
            facts = self._spool.attempt(order_id)
            if facts is not None:
                log.info("worker.attempt_ending", order_id=order_id, reason=ending)
                self._ask_to_end(facts)
            return True

    def end_all(self, ending: str = PARTITION) -> None:
        """Begin to end everything that runs here."""
        for facts in self._own():
            self.end(facts.order_id, ending)

    def step(self) -> None:
        """End attempts whose deadline passed; kill those that did not end in time after TERM."""
        now = self._clock()
        for facts in self._own():
            if facts.ending is None and facts.deadline is not None and facts.deadline <= now:
                self.end(facts.order_id, TIMEOUT)
            elif facts.ending_at is not None and now - facts.ending_at >= self._kill_s:
                self._kill(facts)

    def _own(self) -> list[AttemptFacts]:
        return [one for one in self._spool.attempts() if one.incarnation == self._incarnation]

    def _ask_to_end(self, facts: AttemptFacts) -> None:
        if facts.process_group is not None and facts.process_group != os.getpgrp():
            signal_group(facts.process_group, signal.SIGTERM)
        elif facts.thread is not None:
            interrupt_thread(facts.thread)
        else:
            self._signal_child(facts.pid, signal.SIGTERM)

    def _kill(self, facts: AttemptFacts) -> None:
        if self._spool.attempt(facts.order_id) is None:
            return  # it ended in between
        log.warning("worker.attempt_killed", order_id=facts.order_id, reason=facts.ending)
        if facts.process_group is not None and facts.group_started is not None:
            kill_group(facts.process_group, facts.group_started)
        elif facts.thread is not None:
            interrupt_thread(facts.thread)  # a thread cannot be killed: it is asked again
        else:
            self._signal_child(facts.pid, signal.SIGKILL)


def _signal_child(pid: int, number: signal.Signals) -> None:
    try:
        if pid != os.getpid():
            os.kill(pid, number)
    except ProcessLookupError:
        return
