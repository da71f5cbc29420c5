"""Owns the proof that no slot of a pool is lost: a master looks now and then, and puts right what is wrong."""

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Protocol

import structlog

from orchestrator.core.changes import Leases
from orchestrator.master.duty import Case, Done, Duty, Found, Lines
from orchestrator.store.pools import Repairs

log = structlog.get_logger(__name__)

LINES = Lines(subject="pool", not_ours="pool.not_ours", failed="pool.failed")


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
        wake: Tells a slot's master that a command waits.
        monotonic: Seconds that never go back.
    """

    def __init__(
        self,
        table: PoolTable,
        leases: Leases,
        wake: Callable[[int], None],
        monotonic: Callable[[], float],
    ) -> None:
        self._table = table
        self._duty = Duty(LINES, self._look, leases, wake, monotonic)

    def step(self) -> int:
        """Look once; return how many rows were put right or given out.

        Raises:
            StoreUnavailable: The database is away; nothing is lost.
        """
        return self._duty.step()

    def _look(self, _slots: Collection[int]) -> Found:
        return Found(
            cases=[Case(name=name, settle=partial(self._sweep, name)) for name in self._table.suspects()]
        )

    def _sweep(self, name: str, leases: Leases) -> Done:
        repairs = self._table.sweep(name, leases)
        if repairs.faults:
            log.error(
                "pool.repaired",
                pool=name,
                leaked=repairs.leaked,
                stale=repairs.stale,
                untold=repairs.untold,
                outsiders=repairs.outsiders,
            )
        return Done(number=repairs.faults + repairs.granted, woken=repairs.woken)
