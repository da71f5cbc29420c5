"""Owns carrying backfills on: when a run of one has ended, the next may start, as the rows say."""

from collections.abc import Callable, Collection
from functools import partial
from typing import Protocol

import structlog

from orchestrator.core.changes import Leases
from orchestrator.master.duty import Case, Done, Duty, Found, Lines
from orchestrator.store.backfills import Advanced, Unfinished

log = structlog.get_logger(__name__)

LOOK_EVERY_S, LOOK_OFTEN_S = 1.0, 0.3
"""How often the tables are looked at: without a backfill that has runs left to start, and with one."""

LINES = Lines(subject="backfill_id", not_ours="backfill.not_ours", failed="backfill.failed")


class BackfillTable(Protocol):
    """The stored backfills."""

    def look(self, slots: Collection[int]) -> Unfinished:
        """Return the backfills of these slots that have runs left to start."""
        ...

    def advance(self, backfill_id: int, leases: Leases) -> Advanced:
        """Start what may start now in one fenced transaction."""
        ...


class Backfiller:
    """Carries on the backfills of this master's slots. Nothing is remembered: every step is derived from rows.

    Args:
        table: The stored backfills.
        leases: The slots this master owns.
        wake: Tells a slot's master that a command waits.
        monotonic: Seconds that never go back.
    """

    def __init__(
        self,
        table: BackfillTable,
        leases: Leases,
        wake: Callable[[int], None],
        monotonic: Callable[[], float],
    ) -> None:
        self._table = table
        self._duty = Duty(LINES, self._look, leases, wake, monotonic)

    def step(self) -> int:
        """Carry on what can go on; return how many runs were started or stopped.

        Raises:
            StoreUnavailable: The database is away; nothing is lost.
        """
        return self._duty.step()

    def _look(self, slots: Collection[int]) -> Found:
        found = self._table.look(slots)
        due = [
            Case(name=number, slot=slot, settle=partial(self._advance, number)) for number, slot in found.due
        ]
        return Found(cases=due, busy_s=LOOK_OFTEN_S, idle_s=LOOK_OFTEN_S if found.waiting else LOOK_EVERY_S)

    def _advance(self, number: int, leases: Leases) -> Done:
        advanced = self._table.advance(number, leases)
        if advanced.stopped:
            log.warning("backfill.stopped", backfill_id=number, runs=len(advanced.stopped))
        return Done(number=len(advanced.started) + len(advanced.stopped), woken=advanced.slots)
