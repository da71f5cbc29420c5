"""Owns the master's idea of database time: an offset to a monotonic clock, corrected at each commit."""

from collections.abc import Callable
from datetime import datetime, timedelta


class DatabaseClock:
    """Tells database time without asking the database.

    Args:
        monotonic: Seconds that never go back (`time.monotonic`).
        now: The database's time at this moment, aware UTC.
    """

    def __init__(self, monotonic: Callable[[], float], now: datetime) -> None:
        self.monotonic = monotonic
        self._base = now
        self._at = monotonic()

    def learn(self, now: datetime) -> None:
        """Take over what the database just said."""
        self._base = now
        self._at = self.monotonic()

    def now(self) -> datetime:
        """Return the database's time, aware UTC."""
        return self._base + timedelta(seconds=self.monotonic() - self._at)
