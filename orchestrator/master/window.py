"""Owns the dispatch window: how much of a group's work the broker may hold."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, exp

AHEAD_S = 0.5
"""Beyond twice the capacity, the broker may hold what the group finishes in this time."""


@dataclass(slots=True)
class _Rate:
    """Results of one group, as an exponentially fading sum."""

    per_s: float = 0.0
    at: float = 0.0


class Window:
    """Twice the live workers' capacity, and half a second of work when tasks are that short.

    Short tasks would otherwise wait for the master's round trip; long ones keep the window small, so that what
    waits can still be paused, stopped and reordered.

    Args:
        monotonic: Seconds that never go back.
        capacity: Gives the live capacity of a group, or the last known one.
    """

    def __init__(self, monotonic: Callable[[], float], capacity: Callable[[str], int]) -> None:
        self._monotonic = monotonic
        self._capacity = capacity
        self._rates: dict[str, _Rate] = {}

    def finished(self, group: str, number: int) -> None:
        """Note that `number` tasks of `group` ended just now."""
        rate = self._rates.setdefault(group, _Rate(at=self._monotonic()))
        self._fade(rate)
        rate.per_s += number

    def size(self, group: str) -> int:
        """Return how many attempts of `group` may be in the broker and not started."""
        rate = self._rates.get(group)
        ahead = 0
        if rate is not None:
            self._fade(rate)
            ahead = ceil(rate.per_s * AHEAD_S)
        return max(2 * self._capacity(group), 1) + ahead

    def _fade(self, rate: _Rate) -> None:
        """Let the sum forget with a half-life of about 0.7 s, so that it reads as results per second."""
        now = self._monotonic()
        rate.per_s *= exp(rate.at - now)
        rate.at = now
