"""Owns what a schedule means: which planned times fire now, and what becomes of those that were missed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from orchestrator.core.definition import WorkflowDefinition

INSTANT = timedelta(microseconds=1)


class Misfire(StrEnum):
    """What becomes of planned times that were missed: nobody was there to start them."""

    SKIP = "skip"
    ONCE = "once"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When a workflow runs by itself.

    Attributes:
        cron: Five fields, or six with seconds first.
        timezone: IANA name of the zone whose clocks the cron speaks of.
        grace_s: How late a missed time may still fire, in seconds; `None`: `skip` never, the others always.
        starts_at: The first moment that counts, aware.
        ends_at: The last moment that counts, aware.
    """

    cron: str
    timezone: str
    misfire: Misfire = Misfire.ONCE
    grace_s: float | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fire:
    """One run that is to be started.

    Attributes:
        interval_start: The fire time before the planned one, whether or not it was run.
    """

    planned_time: datetime
    interval_start: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What one look at a schedule comes to.

    Attributes:
        fires: In the order of their planned times.
        handled_until: Up to here nothing is left to decide.
        next_at: When to look again; `None`: it never fires again.
    """

    fires: tuple[Fire, ...]
    handled_until: datetime
    next_at: datetime | None


class FireTimes(Protocol):
    """Knows what a cron expression means."""

    def after(self, cron: str, timezone: str, moment: datetime) -> Iterator[datetime]:
        """Yield the fire times after `moment`, ascending, aware UTC."""
        ...

    def before(self, cron: str, timezone: str, moment: datetime) -> datetime | None:
        """Return the last fire time before `moment`."""
        ...


def schedules_of(definition: WorkflowDefinition) -> tuple[Schedule, ...]:
    """Return the schedules of a valid definition, in their order."""
    return tuple(_schedule(one, definition.timezone) for one in definition.schedules)


def moment(text: str, timezone: str, *, ends: bool = False) -> datetime:
    """Return the time that a text means, aware UTC.

    Args:
        text: ISO 8601; without an offset it is the time of the clocks in `timezone`.
        timezone: IANA name.
        ends: It ends something: a day without a time of day is meant to its end.

    Raises:
        ValueError: It is no such text, or the calendar ends before it.
    """
    at = datetime.fromisoformat(text)
    if ends and is_whole_day(text):
        at = datetime.combine(at, time.max)
    at = at if at.tzinfo is not None else at.replace(tzinfo=ZoneInfo(timezone))
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("the calendar has no such time in UTC") from None


def is_whole_day(text: str) -> bool:
    """Return whether a text is a date without a time of day."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def fires_between(schedule: Schedule, first: datetime, last: datetime, times: FireTimes) -> Iterator[Fire]:
    """Yield the fires from `first` to `last`, both included, whatever the schedule's own start and end."""
    before = times.before(schedule.cron, schedule.timezone, first)
    for at in times.after(schedule.cron, schedule.timezone, first - INSTANT):
        if at > last:
            return
        yield Fire(planned_time=at, interval_start=before)
        before = at


def upcoming(schedule: Schedule, after: datetime, times: FireTimes) -> Iterator[datetime]:
    """Yield the planned times after `after` that lie between the schedule's start and end."""
    begins = schedule.starts_at
    start = after if begins is None or begins <= after else begins - INSTANT
    for at in times.after(schedule.cron, schedule.timezone, start):
        if schedule.ends_at is not None and at > schedule.ends_at:
            return
        yield at


def decide(
    schedule: Schedule,
    *,
    handled_until: datetime,
    live_since: datetime,
    now: datetime,
    times: FireTimes,
    most: int,
) -> Decision:
    """Return what is to be started now, and when to look again.

    Args:
        schedule: The schedule.
        handled_until: Up to here nothing is left to decide.
        live_since: Since then somebody has looked all the time: what was planned before was missed.
        now: The present time.
        times: What the cron expression means.
        most: So many fires at most; what is left comes with the next look, which is due at once.
    """
    chosen, rest = _missed(schedule, handled_until, live_since, now, times)
    later = upcoming(schedule, rest, times)
    next_at = None
    for at in later:
        if at > now:
            next_at = at
            break
        if len(chosen) >= most:
            return Decision(fires=_fires(schedule, chosen, times), handled_until=chosen[-1], next_at=now)
        chosen.append(at)
    return Decision(
        fires=_fires(schedule, chosen, times), handled_until=max(now, handled_until), next_at=next_at
    )


def _missed(
    schedule: Schedule, handled_until: datetime, live_since: datetime, now: datetime, times: FireTimes
) -> tuple[list[datetime], datetime]:
    """Return the one missed time that stands for all, if any, and after which time every one fires."""
    oldest = None if schedule.grace_s is None else now - timedelta(seconds=schedule.grace_s)
    match schedule.misfire:
        case Misfire.ALL:
            limit = None if oldest is None else min(oldest, live_since)
        case Misfire.SKIP:
            limit = live_since if oldest is None else min(oldest, live_since)
        case Misfire.ONCE:
            limit = live_since
    if limit is None or limit - INSTANT <= handled_until:
        return [], handled_until
    latest = _latest_missed(schedule, live_since, times) if schedule.misfire is Misfire.ONCE else None
    counts = latest is not None and latest > handled_until and (oldest is None or latest >= oldest)
    return [latest] if latest is not None and counts else [], limit - INSTANT


def _latest_missed(schedule: Schedule, live_since: datetime, times: FireTimes) -> datetime | None:
    end = live_since if schedule.ends_at is None else min(live_since, schedule.ends_at + INSTANT)
    latest = times.before(schedule.cron, schedule.timezone, end)
    if latest is None or (schedule.starts_at is not None and latest < schedule.starts_at):
        return None
    return latest


def _fires(schedule: Schedule, planned: list[datetime], times: FireTimes) -> tuple[Fire, ...]:
    if not planned:
        return ()
    return tuple(fires_between(schedule, planned[0], planned[-1], times))  # none is left out in between


def _schedule(written: Mapping[str, Any], timezone: str) -> Schedule:
    zone = written.get("timezone") or timezone
    start, end = written.get("start"), written.get("end")
    return Schedule(
        cron=written["cron"],
        timezone=zone,
        misfire=Misfire(written.get("misfire", Misfire.ONCE)),
        grace_s=written.get("grace"),
        starts_at=moment(start, zone) if start else None,
        ends_at=moment(end, zone, ends=True) if end else None,
    )
