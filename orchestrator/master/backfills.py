"""Owns carrying backfills on: when a run of one has ended, the next may start, as the rows say."""

from collections.abc import Callable, Collection
from typing import Protocol

import structlog

from orchestrator.core.changes import Leases
from orchestrator.errors import LeaseLost, RetryEvent
from orchestrator.master.schedules import REST_S, wake_quietly
from orchestrator.store.backfills import Advanced, Unfinished

log = structlog.get_logger(__name__)

LOOK_EVERY_S, LOOK_OFTEN_S = 1.0, 0.3
"""How often the tables are looked at: without a backfill that has runs left to start, and with one."""


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
        self._leases = leases
        self._wake = wake
        self._monotonic = monotonic
        self._look_at = float("-inf")
        self._resting: dict[int, float] = {}

    def step(self) -> int:
        """Carry on what can go on; return how many runs were started or stopped.

        Raises:
            StoreUnavailable: The database is away; nothing is lost.
        """
        now = self._monotonic()
        if now < self._look_at:
            return 0
        found = self._table.look(self._leases.epochs.keys())
        due = [one for one in found.due if now >= self._resting.get(one[0], float("-inf"))]
        done = sum(self._advance(number, slot) for number, slot in due)
        self._look_at = now + (LOOK_OFTEN_S if due or found.waiting else LOOK_EVERY_S)
        return done

    def _advance(self, number: int, slot: int) -> int:
        """Carry on one backfill; a bug in it must not stop the others."""
        leases = Leases(owner=self._leases.owner, epochs={slot: self._leases.epochs[slot]})
        try:
            advanced = self._table.advance(number, leases)
        except RetryEvent:
            raise
        except LeaseLost:
            log.warning("backfill.not_ours", backfill_id=number, slot=slot)
            return 0
        except Exception:
            log.exception("backfill.failed", backfill_id=number)
            self._resting[number] = self._monotonic() + REST_S
            return 0
        if advanced.stopped:
            log.warning("backfill.stopped", backfill_id=number, runs=len(advanced.stopped))
        for one in advanced.slots:
            wake_quietly(self._wake, one)
        return len(advanced.started) + len(advanced.stopped)
