"""Owns the respite that the database is given when it could not answer what candidates need."""

from collections.abc import Callable, Iterable

import structlog

from orchestrator.core.instance import TaskInstance
from orchestrator.core.run import WorkflowInstance
from orchestrator.errors import StoreUnavailable
from orchestrator.master.supplies import Candidate

log = structlog.get_logger(__name__)

LASTS_S = 0.5


class Respite:
    """Runs in the loop's thread, each for one who asks: the dispatcher, the judge.

    Args:
        is_here: Whether a candidate's run is still the one in memory: what was parked is loaded anew.
        line_up: Lets an attempt wait in line again.
        monotonic: Seconds that never go back.
    """

    def __init__(
        self,
        is_here: Callable[[Candidate], bool],
        line_up: Callable[[WorkflowInstance, TaskInstance], None],
        monotonic: Callable[[], float],
    ) -> None:
        self._is_here = is_here
        self._line_up = line_up
        self._monotonic = monotonic
        self._until = float("-inf")

    @property
    def lasts(self) -> bool:
        """Whether nothing is to be asked yet."""
        return self._monotonic() < self._until

    def begin(self, candidates: Iterable[Candidate], error: StoreUnavailable) -> None:
        """Ask nothing for a moment, and let everything wait in line again."""
        log.warning("store.unavailable", error=str(error))
        self._until = self._monotonic() + LASTS_S
        for one in candidates:
            if self._is_here(one):
                self._line_up(one.instance, one.attempt)
