"""Owns the windows of dependent tasks: which stretches of planned time each of them looks at.

A window is a row of slots; in each of them somebody's run counts. Days, weeks and months are those of the
calendar in the workflow's zone, a week begins on Monday; hours are absolute, so that a day on which the clocks
change has 23 or 25 of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A stretch of planned time, `begin` included and `until` not; aware UTC.

    Attributes:
        label: For people: the day, or the hour, in the workflow's zone.
    """

    begin: datetime
    until: datetime
    label: str


def slots(window: str, planned: datetime, zone: ZoneInfo) -> tuple[Slot, ...]:
    """Return the slots of a window, oldest first.

    Args:
        window: Its name, one of `WINDOWS`.
        planned: The planned time of the run that looks, aware.
        zone: The workflow's time zone.

    Raises:
        OverflowError: The window lies outside the years 1 to 9999.
    """
    return _WINDOWS[window](planned.astimezone(zone))


def _hours(local: datetime, *, back: int, count: int) -> tuple[Slot, ...]:
    """Return `count` whole hours, the first of them `back` before that of `local`."""
    into_the_hour = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    first = local.astimezone(UTC) - into_the_hour - back * HOUR
    begins = [first + number * HOUR for number in range(count)]
    return tuple(
        Slot(begin=begin, until=begin + HOUR, label=f"{begin.astimezone(local.tzinfo):%Y-%m-%d %H:%M}")
        for begin in begins
    )


def _days(local: datetime, first: date, last: date) -> tuple[Slot, ...]:
    """Return the days from `first` to `last`, both included, in the zone of `local`."""
    days = [first + number * DAY for number in range((last - first).days + 1)]
    return tuple(
        Slot(begin=_midnight(day, local), until=_midnight(day + DAY, local), label=day.isoformat())
        for day in days
    )


def _midnight(day: date, local: datetime) -> datetime:
    """Return when a day begins: where its midnight is skipped, with the first moment that exists."""
    return datetime(day.year, day.month, day.day, tzinfo=local.tzinfo).astimezone(UTC)


def _last_days(local: datetime, *, count: int) -> tuple[Slot, ...]:
    """Return the days before today."""
    return _days(local, local.date() - count * DAY, local.date() - DAY)


def _today(local: datetime) -> tuple[Slot, ...]:
    return _days(local, local.date(), local.date())


def _monday(local: datetime) -> date:
    return local.date() - local.weekday() * DAY


def _this_week(local: datetime) -> tuple[Slot, ...]:
    return _days(local, _monday(local), local.date())


def _last_week(local: datetime) -> tuple[Slot, ...]:
    monday = _monday(local)
    return _days(local, monday - 7 * DAY, monday - DAY)


def _day_of_last_week(local: datetime, *, weekday: int) -> tuple[Slot, ...]:
    day = _monday(local) - (7 - weekday) * DAY
    return _days(local, day, day)


def _last_month_end_of(local: datetime) -> date:
    return local.date().replace(day=1) - DAY


def _this_month(local: datetime) -> tuple[Slot, ...]:
    return _days(local, local.date().replace(day=1), local.date())


def _last_month(local: datetime) -> tuple[Slot, ...]:
    last = _last_month_end_of(local)
    return _days(local, last.replace(day=1), last)


def _last_month_begin(local: datetime) -> tuple[Slot, ...]:
    return _last_month(local)[:1]


def _last_month_end(local: datetime) -> tuple[Slot, ...]:
    return _last_month(local)[-1:]


_WINDOWS: dict[str, Callable[[datetime], tuple[Slot, ...]]] = {
    "current_hour": partial(_hours, back=0, count=1),
    "last_1_hour": partial(_hours, back=1, count=1),
    "last_2_hours": partial(_hours, back=2, count=2),
    "last_3_hours": partial(_hours, back=3, count=3),
    "last_24_hours": partial(_hours, back=24, count=24),
    "today": _today,
    "last_1_day": partial(_last_days, count=1),
    "last_2_days": partial(_last_days, count=2),
    "last_3_days": partial(_last_days, count=3),
    "last_7_days": partial(_last_days, count=7),
    "this_week": _this_week,
    "last_week": _last_week,
    **{f"last_{name}": partial(_day_of_last_week, weekday=number) for number, name in enumerate(WEEKDAYS)},
    "this_month": _this_month,
    "last_month": _last_month,
    "last_month_begin": _last_month_begin,
    "last_month_end": _last_month_end,
}

WINDOWS = tuple(_WINDOWS)
"""The name of every window."""
