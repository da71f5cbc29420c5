"""Owns the firing of schedules: what is due in this master's slots becomes runs, once, under the fence."""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

import structlog

from orchestrator.core.changes import Leases
from orchestrator.core.schedule import Decision, FireTimes, decide
from orchestrator.master.duty import Case, Done, Duty, Found, Lines
from orchestrator.store.schedules import Fired, Look, StoredSchedule

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 1.0
"""How often the table is looked at when nothing is due: somebody may have changed it."""

LAPSE = timedelta(seconds=10)
"""Who has not looked for longer was away: what was planned meanwhile was missed."""

MOST_FIRES = 100
"""So many runs of one schedule in one transaction; the rest follows at once."""

LINES = Lines(subject="schedule_id", not_ours="schedule.not_ours", failed="schedule.failed")


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
        self._looked_at: datetime | None = None
        self._live_since: datetime | None = None
        self._duty = Duty(LINES, self._look, leases, wake, monotonic)

    def step(self) -> int:
        """Fire what is due; return how many runs that made. Without anything due it mostly asks nobody.

        Raises:
            StoreUnavailable: The database is away; nothing is lost, what is due stays due.
        """
        return self._duty.step()

    def _look(self, slots: Collection[int]) -> Found:
        look = self._table.look(slots)
        self._note_look(look.now)
        due = [Case(name=number, slot=slot, settle=partial(self._fire, number)) for number, slot in look.due]
        return Found(cases=due, idle_s=_wait_s(look))

    def _note_look(self, now: datetime) -> None:
        if self._looked_at is None or now - self._looked_at > LAPSE:
            self._live_since = now
        self._looked_at = now

    def _fire(self, number: int, leases: Leases) -> Done:
        fired = self._table.fire(number, leases, self._choose)
        self._looked_at = fired.now
        for run, _ in fired.runs:
            log.info("schedule.fired", schedule_id=number, workflow_instance_id=run)
        return Done(number=len(fired.runs), woken=[slot for _, slot in fired.runs])

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


def _wait_s(look: Look) -> float:
    if look.next_at is None:
        return LOOK_EVERY_S
    return min(max((look.next_at - look.now).total_seconds(), 0.0), LOOK_EVERY_S)
