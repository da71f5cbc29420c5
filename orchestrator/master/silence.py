"""Owns the question whether silence may be held against somebody (PROTOCOL section 6)."""

from collections import deque
from collections.abc import Callable, Iterable
from threading import Lock

ONE_OUTAGE_S = 15.0
"""Interruptions closer than this are one outage: so far apart may the tries of a service lie that is away."""

MOST_OUTAGES = 1000


class Silence:
    """Knows when the streams were last read to their end and when the last outage ended.

    Args:
        monotonic: Seconds that never go back.
        resend_s: After an outage workers need this long to say what they could not.
    """

    def __init__(self, monotonic: Callable[[], float], resend_s: float) -> None:
        self._monotonic = monotonic
        self._resend_s = resend_s
        self._lock = Lock()
        self._read_to_end: dict[int, float] = {}
        self._outages = deque([(float("-inf"), monotonic())], MOST_OUTAGES)  # nobody listened before now

    def interrupted(self) -> None:
        """Note that the database or Redis was away until now, for up to one re-send interval unnoticed."""
        with self._lock:
            now = self._monotonic()
            began, ended = self._outages[-1]
            if now - ended <= ONE_OUTAGE_S:
                self._outages[-1] = (began, now)
            else:
                self._outages.append((max(now - self._resend_s, ended), now))

    def away_s(self, since: float) -> float:
        """Return for how long since that monotonic time master, database and Redis were not all up, in seconds."""
        with self._lock:
            return sum(ended - max(began, since) for began, ended in self._outages if ended > since)

    def read_to_end(self, slots: Iterable[int], began: float) -> None:
        """Note that everything that stood in these streams at `began` is with the loop."""
        with self._lock:
            self._read_to_end.update(dict.fromkeys(slots, began))

    def may_accuse(self, slot: int, due: float, grace_s: float = 0.0) -> bool:
        """Return whether something due at monotonic time `due` may be acted upon.

        Args:
            slot: The stream in which a contradiction would stand.
            due: When it became due.
            grace_s: Time to be granted after an outage, if longer than one re-send interval.
        """
        with self._lock:
            calm_s = self._monotonic() - self._outages[-1][1]
            read = self._read_to_end.get(slot, float("-inf"))
        return read >= due and calm_s >= max(self._resend_s, grace_s)
