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

    def learn(self, now: datetime, asked_at: float) -> None:
        """Take over what the database said between the monotonic time `asked_at` and this moment.

        An answer that was long under way, since the network is slow or this process stood still, says little: what
        is known is corrected only as far as the answer contradicts it.

        Args:
            now: The database's answer, aware UTC.
            asked_at: When it was asked, in seconds of `monotonic`.
        """
        answered_at = self.monotonic()
        latest = now + timedelta(seconds=answered_at - asked_at)
        self._base, self._at = min(max(self.now(), now), latest), answered_at

    def now(self) -> datetime:
        """Return the database's time, aware UTC."""
        return self._base + timedelta(seconds=self.monotonic() - self._at)
