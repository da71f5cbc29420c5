"""Owns taking over slots: every unfinished run is loaded, and its rows armed, before new work is taken."""

from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

import structlog

from orchestrator.core.transition import Context
from orchestrator.master.cut import Cut, Park
from orchestrator.master.lanes import Lanes

log = structlog.get_logger(__name__)

AT_ONCE = 200


class UnfinishedSource(Protocol):
    """Knows the runs that are not in a final state."""

    def unfinished(self, slots: Collection[int], after_id: int, limit: int) -> Sequence[int]:
        """Return up to `limit` ids above `after_id`, ascending."""
        ...


class Takeover:
    """Loads page by page; it can be interrupted and repeated.

    Args:
        source: Where unfinished runs are found.
        lanes: Where they go; loading arms them.
        slots: The slots that were taken over.
        park: Takes a run out of the way that cannot be loaded because of a bug.
    """

    def __init__(self, source: UnfinishedSource, lanes: Lanes, slots: Iterable[int], park: Park) -> None:
        self._source = source
        self._lanes = lanes
        self._slots = tuple(slots)
        self._park = park
        self._after_id = 0
        self._loaded = 0

    def step(self, context: Context) -> bool:
        """Load one page; return whether there may be more.

        Raises:
            StoreUnavailable: The database is away; call again.
        """
        ids = self._source.unfinished(self._slots, self._after_id, AT_ONCE)
        self._lanes.load(ids, (), context)
        for number, error in list(self._lanes.unloadable.items()):
            self._park(number, Cut(error, []))
        if ids:
            self._after_id = ids[-1]
            self._loaded += len(ids)
            return True
        log.info("takeover.done", slots=len(self._slots), runs=self._loaded)
        return False
