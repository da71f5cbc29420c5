"""Owns the firing of schedules: what is due in this master's slots becomes runs, once, under the fence."""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from orchestrator.core.changes import Leases
from orchestrator.core.schedule import Decision, FireTimes, decide
from orchestrator.errors import BrokerUnavailable, LeaseLost, RetryEvent
from orchestrator.store.schedules import Fired, Look, StoredSchedule

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 1.0
"""How often the table is looked at when nothing is due: somebody may have changed it."""

LAPSE = timedelta(seconds=10)
"""Who has not looked for longer was away: what was planned meanwhile was missed."""

MOST_FIRES = 100
"""So many runs of one schedule in one transaction; the rest follows at once."""

REST_S = 60.0
"""How long a schedule is left alone that failed because of a bug; the others go on."""


class ScheduleTable(Protocol):
    """The stored schedules."""

    def look(self, slots: Collection[int]) -> Look:
        """Return which schedules of these slots are due."""
        ...

    def fire(
        self, schedule_id: int, leases: Leases, choose: Callable[[StoredSchedule, datetime], Decision]
    ) -> Fired:
        """Start what `choose` says in one fenced transaction that also notes it."""
        ...


class Scheduler:
    """Fires the schedules of this master's slots. Time is the database's.

    Args:
        table: The stored schedules.
        times: What cron expressions mean.
        leases: The slots this master owns.
        wake: Tells a slot's master that a command waits.
        monotonic: Seconds that never go back.
    """

    def __init__(
        self,
        table: ScheduleTable,
        times: FireTimes,
        leases: Leases,
        wake: Callable[[int], None],
        monotonic: Callable[[], float],
    ) -> None:
        self._table = table
        self._times = times
        self._leases = leases
        self._wake = wake
        self._monotonic = monotonic
        self._look_at = float("-inf")
        self._looked_at: datetime | None = None
        self._live_since: datetime | None = None
        self._resting: dict[int, float] = {}

    def step(self) -> int:
        """Fire what is due; return how many runs that made. Without anything due it mostly asks nobody.

        Raises:
            StoreUnavailable: The database is away; nothing is lost, what is due stays due.
        """
        if self._monotonic() < self._look_at:
            return 0
        look = self._table.look(self._leases.epochs.keys())
        self._note_look(look.now)
        due = [one for one in look.due if self._monotonic() >= self._resting.get(one[0], float("-inf"))]
        made = sum(self._fire(number, slot) for number, slot in due)
        self._look_at = self._monotonic() + (0.0 if due else _wait_s(look))
        return made

    def _note_look(self, now: datetime) -> None:
        if self._looked_at is None or now - self._looked_at > LAPSE:
            self._live_since = now
        self._looked_at = now

    def _fire(self, number: int, slot: int) -> int:
        """Fire one schedule; a bug in it, or in its workflow's document, must not stop the others."""
        leases = Leases(owner=self._leases.owner, epochs={slot: self._leases.epochs[slot]})
        try:
            fired = self._table.fire(number, leases, self._choose)
        except RetryEvent:
            raise
        except LeaseLost:
            log.warning("schedule.not_ours", schedule_id=number, slot=slot)
            return 0
        except Exception:
            log.exception("schedule.failed", schedule_id=number)
            self._resting[number] = self._monotonic() + REST_S
            return 0
        self._resting.pop(number, None)
        self._looked_at = fired.now
        for run, run_slot in fired.runs:
            log.info("schedule.fired", schedule_id=number, workflow_instance_id=run)
            wake_quietly(self._wake, run_slot)
        return len(fired.runs)

    def _choose(self, schedule: StoredSchedule, now: datetime) -> Decision:
        live_since = self._live_since or now
        return decide(
            schedule.said,
            handled_until=schedule.handled_until,
            live_since=min(max(live_since, schedule.active_since), now),
            now=now,
            times=self._times,
            most=MOST_FIRES,
        )


def wake_quietly(wake: Callable[[int], None], slot: int) -> None:
    """Tell a slot's master that a command waits; if Redis is away it finds out by itself, a little later."""
    try:
        wake(slot)
    except BrokerUnavailable as error:
        log.debug("wake.failed", slot=slot, error=str(error))


def _wait_s(look: Look) -> float:
    if look.next_at is None:
        return LOOK_EVERY_S
    return min(max((look.next_at - look.now).total_seconds(), 0.0), LOOK_EVERY_S)
