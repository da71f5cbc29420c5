"""Owns the question whether silence may be held against somebody (PROTOCOL section 6)."""

from collections.abc import Callable, Iterable
from threading import Lock


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
        self._outage_ended = monotonic()

    def interrupted(self) -> None:
        """Note that the database or Redis was away until now."""
        with self._lock:
            self._outage_ended = self._monotonic()

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
            calm_s = self._monotonic() - self._outage_ended
            read = self._read_to_end.get(slot, float("-inf"))
        return read >= due and calm_s >= max(self._resend_s, grace_s)
