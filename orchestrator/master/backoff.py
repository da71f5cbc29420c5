"""Owns the loop's back-off while the database is away: when it tries again, and what is said about it."""

from collections.abc import Callable

import structlog

from orchestrator.core.retry import backoff_s
from orchestrator.master.silence import Silence

log = structlog.get_logger(__name__)

FIRST_S = 0.05
CAP_S = 5.0


class Backoff:
    """Waits longer after each failure in a row, without limit on their number (I8).

    Args:
        silence: Told of the outage: nobody could be heard.
        monotonic: Seconds that never go back.
        chance: Random numbers in [0, 1).

    Attributes:
        failures: How often in a row it failed.
    """

    def __init__(self, silence: Silence, monotonic: Callable[[], float], chance: Callable[[], float]) -> None:
        self._silence = silence
        self._monotonic = monotonic
        self._chance = chance
        self._retry_at = float("-inf")
        self.failures = 0

    def wait_s(self) -> float:
        """Return how long it is until the next try, in seconds; 0 when it may be made."""
        return max(self._retry_at - self._monotonic(), 0.0)

    def failed(self, error: Exception) -> None:
        """Note a failure: a warning once, then counted."""
        report = log.warning if self.failures == 0 else log.debug
        report("store.unavailable", failures=self.failures + 1, error=str(error))
        wait = backoff_s(self.failures, self._chance(), first=FIRST_S, cap=CAP_S)
        self.failures += 1
        self._retry_at = self._monotonic() + wait
        self._silence.interrupted()

    def worked(self) -> None:
        """Note that a try has worked; only then it is known that the outage lasted until now."""
        if self.failures:
            log.warning("store.back", failures=self.failures)
            self.failures = 0
            self._silence.interrupted()
