"""Owns the threads of a worker's main process: named, watched, with steps that fail without ending them."""

import threading
from collections.abc import Callable

import structlog

from orchestrator.errors import BrokerUnavailable
from orchestrator.worker.spool_file import SpoolUnwritable

log = structlog.get_logger(__name__)

FAILURES_LIMIT = 10
FIRST_BACK_OFF_S = 0.02
BACK_OFF_DOUBLINGS = 10
LONGEST_BACK_OFF_S = 1.0


class Ticker:
    """Calls a step again and again on a thread of its own.

    A service that is away is waited for, with growing pauses. A step that fails otherwise is a bug: it is logged,
    and after some failures in a row the worker is asked to stop, instead of limping on.

    Args:
        name: Name of the thread.
        step: Does one bounded piece of work.
        interval_s: Seconds between two steps; called before each wait.
        give_up: Asks the whole worker to stop.
        longest_back_off_s: Longest pause after failures in a row.
    """

    def __init__(
        self,
        name: str,
        step: Callable[[], object],
        interval_s: Callable[[], float],
        give_up: Callable[[], None],
        *,
        longest_back_off_s: float = LONGEST_BACK_OFF_S,
    ) -> None:
        self.name = name
        self._step = step
        self._interval_s = interval_s
        self._give_up = give_up
        self._longest_back_off_s = longest_back_off_s
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._unavailable = 0
        self._failures = 0

    def start(self) -> None:
        """Start the thread; harmless when it runs."""
        if self._thread is None:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
            self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Ask the thread to end and wait for it, at most `timeout_s` seconds; harmless when it does not run."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
            self._thread = None

    def _run(self) -> None:
        while not self._stopping.is_set():
            worked = self._once()
            self._stopping.wait(self._interval_s() if worked else max(self._interval_s(), self._back_off_s()))

    def _back_off_s(self) -> float:
        """Return how long to wait after failures in a row: longer each time, so that an outage costs nothing."""
        failures: int = min(self._unavailable + self._failures, BACK_OFF_DOUBLINGS)
        return min(FIRST_BACK_OFF_S * (1 << failures), self._longest_back_off_s)

    def _once(self) -> bool:
        try:
            self._step()
        except (BrokerUnavailable, SpoolUnwritable) as error:
            self._unavailable += 1
            if self._unavailable == 1:  # once per outage, then counted
                log.warning("worker.service_waits", thread=self.name, error=str(error))
        except Exception:
            self._failures += 1
            log.exception("worker.step_failed", thread=self.name, failures=self._failures)
            if self._failures == FAILURES_LIMIT:
                self._give_up()
        else:
            if self._unavailable:
                log.info("worker.service_back", thread=self.name, failed_steps=self._unavailable)
            self._unavailable = self._failures = 0
            return True
        return False
