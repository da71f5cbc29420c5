"""Owns the proof that no slot of a pool is lost: a master looks now and then, and puts right what is wrong."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import structlog

from orchestrator.core.changes import Leases
from orchestrator.errors import LeaseLost
from orchestrator.master.schedules import wake_quietly
from orchestrator.store.pools import Repairs

log = structlog.get_logger(__name__)


class PoolTable(Protocol):
    """The stored pools."""

    def suspects(self) -> Sequence[str]:
        """Return the pools in which something seems to be wrong, or a free slot was given to nobody."""
        ...

    def sweep(self, name: str, leases: Leases) -> Repairs:
        """Put one pool right in a fenced transaction."""
        ...


class PoolSweeper:
    """Sweeps the pools of all masters: whoever comes first repairs, the others find nothing.

    Args:
        table: The stored pools.
        leases: The slots this master owns.
        slots: Returns the number of slots.
        wake: Tells a slot's master that a command waits.
    """

    def __init__(
        self, table: PoolTable, leases: Leases, slots: Callable[[], int], wake: Callable[[int], None]
    ) -> None:
        self._table = table
        self._leases = leases
        self._slots = slots
        self._wake = wake

    def step(self) -> int:
        """Look once; return how many rows were put right or given out.

        Raises:
            StoreUnavailable: The database is away; nothing is lost.
        """
        return sum(self._sweep(name) for name in self._table.suspects())

    def _sweep(self, name: str) -> int:
        try:
            repairs = self._table.sweep(name, self._leases)
        except LeaseLost:
            log.warning("pool.not_ours", pool=name)
            return 0
        if repairs.faults:
            log.error(
                "pool.repaired",
                pool=name,
                leaked=repairs.leaked,
                stale=repairs.stale,
                untold=repairs.untold,
                outsiders=repairs.outsiders,
            )
        self._ring(repairs.mailed)
        return repairs.faults + repairs.granted

    def _ring(self, ids: Iterable[int]) -> None:
        for slot in {number % self._slots() for number in ids}:
            wake_quietly(self._wake, slot)
