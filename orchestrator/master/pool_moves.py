"""Owns what a batch changes in the lines of pools, when several of its steps may be about one attempt."""

from orchestrator.core.pool import PoolPlace
from orchestrator.core.transition import Transition

AttemptKey = tuple[int, str, int]


class PoolMoves:
    """Collects the moves of a batch; what leaves is written before what comes, so that the last one counts."""

    def __init__(self) -> None:
        self._released: dict[AttemptKey, PoolPlace] = {}
        self._lined_up: dict[AttemptKey, PoolPlace] = {}

    def add(self, transition: Transition) -> None:
        """Add the moves of one more transition."""
        for place in transition.released:
            self._released[place.key] = place
            self._lined_up.pop(place.key, None)
        for place in transition.lined_up:
            self._lined_up[place.key] = place

    @property
    def released(self) -> tuple[PoolPlace, ...]:
        """Attempts that have left a pool, if only to come back."""
        return tuple(self._released.values())

    @property
    def lined_up(self) -> tuple[PoolPlace, ...]:
        """Attempts that stand in line when the batch is over."""
        return tuple(self._lined_up.values())

    def __bool__(self) -> bool:
        return bool(self._released or self._lined_up)
