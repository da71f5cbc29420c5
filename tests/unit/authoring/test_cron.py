"""Fire times across changes of the clocks: an oracle by hand, and one that looks at every minute."""

from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim

from orchestrator.authoring.cron import CronTimes, check

TIMES = CronTimes()
CHANGES = [
    ("Europe/Paris", "2026-03-29"),
    ("Europe/Paris", "2026-10-25"),
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("Australia/Lord_Howe", "2026-10-04"),
    ("Australia/Lord_Howe", "2026-04-05"),
    ("America/St_Johns", "2010-03-14"),
    ("Africa/Cairo", "2026-04-24"),
    ("Africa/Cairo", "2026-10-30"),
    ("Pacific/Apia", "2011-12-30"),
    ("Asia/Kolkata", "2026-03-29"),
]
REAL_HOURS = ["0 * * * *", "30 * * * *", "*/20 * * * *", "45 */3 * * *", "10 * * * SUN", "0 0-23 * * *"]


def clocks(cron: str, zone: str, day: str, days: int = 1) -> list[str]:
    """Return the fires of some local days as the clocks show them, with the offset."""
    start = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    end = (start.replace(tzinfo=None) + timedelta(days=days)).replace(tzinfo=ZoneInfo(zone))
    found = takewhile(lambda at: at < end, TIMES.after(cron, zone, start - timedelta(microseconds=1)))
    return [at.astimezone(ZoneInfo(zone)).strftime("%H:%M:%S%z") for at in found]


@pytest.mark.parametrize(
    ("cron", "zone", "day", "expected"),
    [
        ("30 2 * * *", "Europe/Paris", "2026-03-29", ["03:00:00+0200"]),
        ("0,30 2 * * *", "Europe/Paris", "2026-03-29", ["03:00:00+0200"]),
        ("*/15 2 * * *", "Europe/Paris", "2026-03-29", ["03:00:00+0200"]),
        ("30 2,3 * * *", "Europe/Paris", "2026-03-29", ["03:00:00+0200", "03:30:00+0200"]),
        ("0 2,3 * * *", "Europe/Paris", "2026-03-29", ["03:00:00+0200"]),
        ("10 30 2 * * *", "Europe/Paris", "2026-03-29", ["03:00:00+0200"]),
        ("30 2 * * *", "Europe/Paris", "2026-10-25", ["02:30:00+0200"]),
        ("*/30 2 * * *", "Europe/Paris", "2026-10-25", ["02:00:00+0200", "02:30:00+0200"]),
        ("0 3 * * *", "Europe/Paris", "2026-10-25", ["03:00:00+0100"]),
        ("30 1 * * *", "America/New_York", "2026-11-01", ["01:30:00-0400"]),
        ("30 2 * * *", "America/New_York", "2026-03-08", ["03:00:00-0400"]),
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-04", ["02:30:00+1100"]),
        ("0,15,30 2 * * *", "Australia/Lord_Howe", "2026-10-04", ["02:30:00+1100"]),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-05", ["01:45:00+1100"]),
        ("30 0 * * *", "Africa/Cairo", "2026-04-24", ["01:00:00+0300"]),
        ("45 0 * * *", "America/St_Johns", "2010-03-14", ["01:01:00-0230"]),
        ("0 12 * * *", "UTC", "2026-03-29", ["12:00:00+0000"]),
    ],
)
def test_fixed_hours_fire_once(cron: str, zone: str, day: str, expected: list[str]) -> None:
    """Skipped ones at the next minute that exists, doubled ones the first time only; six fields as five."""
    assert clocks(cron, zone, day) == expected


@pytest.mark.parametrize(
    ("cron", "zone", "day", "count"),
    [
        ("0 * * * *", "Europe/Paris", "2026-03-29", 23),
        ("0 * * * *", "Europe/Paris", "2026-10-25", 25),
        ("0 */10 * * * *", "America/New_York", "2026-11-01", 150),
        ("0 * * * *", "Australia/Lord_Howe", "2026-10-04", 23),
        ("30 * * * *", "Australia/Lord_Howe", "2026-10-04", 24),
        ("30 * * * *", "Australia/Lord_Howe", "2026-04-05", 25),
    ],
)
def test_every_hour_is_every_real_hour(cron: str, zone: str, day: str, count: int) -> None:
    """A day of 23 hours has 23, one of 25 has 25: counted by hand."""
    assert len(clocks(cron, zone, day)) == count


@pytest.mark.parametrize(("zone", "day"), CHANGES)
@pytest.mark.parametrize("cron", REAL_HOURS)
def test_real_hours_are_what_the_clocks_show(zone: str, day: str, cron: str) -> None:
    """Looking at every minute around a change of the clocks finds the same times.

    Teeth: fails with CronSim on aware times, for Lord Howe and St. John's; for Cairo that does not end.
    """
    start = datetime.fromisoformat(day).replace(tzinfo=UTC) - timedelta(hours=20)
    end = start + timedelta(hours=44)
    fields, expected, at = CronSim(cron, datetime(2026, 1, 1)), [], start  # noqa: DTZ001 - to parse
    while (at := at + timedelta(minutes=1)) <= end:
        clock = at.astimezone(ZoneInfo(zone))
        if clock.minute in fields.minutes and clock.hour in fields.hours and fields.match_day(clock.date()):
            expected.append(at)

    assert list(takewhile(lambda one: one <= end, TIMES.after(cron, zone, start))) == expected


@pytest.mark.parametrize(("zone", "day"), CHANGES)
@pytest.mark.parametrize("cron", ["30 2 * * *", "0 * * * *", "*/7 * * * * *", "0 0 1 * *", "0 0 29 2 *"])
def test_time_before_is_the_one_that_comes_before_it_going_forward(zone: str, day: str, cron: str) -> None:
    """Forward and backward see the same times."""
    start = datetime.fromisoformat(day).replace(tzinfo=UTC)
    first, second = islice(TIMES.after(cron, zone, start), 2)

    assert TIMES.before(cron, zone, second) == first
    assert TIMES.before(cron, zone, second - timedelta(microseconds=1)) == first


@pytest.mark.parametrize("cron", ["0 0 31 2 *", "0 0 30 2 *", "0 0 31 4,6 *", "0 0 0 31 9,11 *"])
def test_expression_that_never_fires_is_refused(cron: str) -> None:
    """There is no such date: the user hears it, instead of waiting."""
    with pytest.raises(ValueError, match="never fires: no date matches it"):
        check(cron)


@pytest.mark.parametrize("cron", ["0 0 32 2 *", "0 0 30 13 *", "0 30 2 *", ""])
def test_what_is_no_expression_is_not_taken_for_a_date(cron: str) -> None:
    """The user hears what fields there are."""
    with pytest.raises(ValueError, match=r"is no cron expression: .*; write minute hour day month weekday"):
        check(cron)


def test_rare_expression_is_accepted() -> None:
    """A leap day that is a Monday comes once in 28 years."""
    check("0 0 29 2 *")
    check("0 0 * 2 MON#5")
