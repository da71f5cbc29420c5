"""Owns simulated time: it moves only when it is told to."""

from datetime import UTC, datetime, timedelta

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


class SimulatedClock:
    """One clock for the database, the master and the workers."""

    def __init__(self, start: datetime = BEGINNING) -> None:
        self._start = start
        self._passed_s = 0.0

    def now(self) -> datetime:
        """Return the time, aware UTC."""
        return self._start + timedelta(seconds=self._passed_s)

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return self._passed_s

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._passed_s += max(seconds, 0.0)

    def advance_to(self, at: datetime) -> None:
        """Let time pass until `at`; nothing happens if that is over."""
        self.advance((at - self.now()).total_seconds())
