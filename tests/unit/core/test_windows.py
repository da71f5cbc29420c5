"""Windows of dependent tasks: each in two zones, across changes of the clocks, ends of months and of years."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.authoring.logic_tasks import WINDOWS as WRITTEN
from orchestrator.core.windows import WINDOWS, slots

PARIS, KOLKATA, NEW_YORK = (ZoneInfo(name) for name in ("Europe/Paris", "Asia/Kolkata", "America/New_York"))
HOUR = timedelta(hours=1)

PLANNED = datetime(2026, 3, 4, 19, 45, tzinfo=UTC)
"""A Wednesday: 20:45 in Paris, and 01:15 of Thursday in Kolkata."""

IN_PARIS = {
    "current_hour": ["2026-03-04 20:00"],
    "last_1_hour": ["2026-03-04 19:00"],
    "last_2_hours": ["2026-03-04 18:00", "2026-03-04 19:00"],
    "last_3_hours": ["2026-03-04 17:00", "2026-03-04 18:00", "2026-03-04 19:00"],
    "today": ["2026-03-04"],
    "last_1_day": ["2026-03-03"],
    "last_2_days": ["2026-03-02", "2026-03-03"],
    "last_3_days": ["2026-03-01", "2026-03-02", "2026-03-03"],
    "last_7_days": [
        "2026-02-25", "2026-02-26", "2026-02-27", "2026-02-28", "2026-03-01", "2026-03-02", "2026-03-03",
    ],
    "this_week": ["2026-03-02", "2026-03-03", "2026-03-04"],
    "last_week": [
        "2026-02-23", "2026-02-24", "2026-02-25", "2026-02-26", "2026-02-27", "2026-02-28", "2026-03-01",
    ],
    "last_monday": ["2026-02-23"],
    "last_tuesday": ["2026-02-24"],
    "last_wednesday": ["2026-02-25"],
    "last_thursday": ["2026-02-26"],
    "last_friday": ["2026-02-27"],
    "last_saturday": ["2026-02-28"],
    "last_sunday": ["2026-03-01"],
    "this_month": ["2026-03-01", "2026-03-02", "2026-03-03", "2026-03-04"],
    "last_month": [f"2026-02-{day:02}" for day in range(1, 29)],
    "last_month_begin": ["2026-02-01"],
    "last_month_end": ["2026-02-28"],
}  # fmt: skip
IN_KOLKATA = {
    **IN_PARIS,
    "current_hour": ["2026-03-05 01:00"],
    "last_1_hour": ["2026-03-05 00:00"],
    "last_2_hours": ["2026-03-04 23:00", "2026-03-05 00:00"],
    "last_3_hours": ["2026-03-04 22:00", "2026-03-04 23:00", "2026-03-05 00:00"],
    "today": ["2026-03-05"],
    "last_1_day": ["2026-03-04"],
    "last_2_days": ["2026-03-03", "2026-03-04"],
    "last_3_days": ["2026-03-02", "2026-03-03", "2026-03-04"],
    "last_7_days": [*IN_PARIS["last_7_days"][1:], "2026-03-04"],
    "this_week": [*IN_PARIS["this_week"], "2026-03-05"],
    "this_month": [*IN_PARIS["this_month"], "2026-03-05"],
}


def labels(window: str, planned: datetime, zone: ZoneInfo) -> list[str]:
    """Return what the slots are called."""
    return [slot.label for slot in slots(window, planned, zone)]


def hours(window: str, planned: datetime, zone: ZoneInfo) -> list[float]:
    """Return how long the slots are."""
    return [(slot.until - slot.begin) / HOUR for slot in slots(window, planned, zone)]


def test_every_window_that_can_be_written_is_known() -> None:
    """Those of the language, no more and no less."""
    assert set(WINDOWS) == set(get_args(WRITTEN)) == {*IN_PARIS, "last_24_hours"}


@pytest.mark.parametrize(
    ("zone", "window", "expected"),
    [
        pytest.param(zone, window, expected, id=f"{window} in {zone.key}")
        for zone, table in ((PARIS, IN_PARIS), (KOLKATA, IN_KOLKATA))
        for window, expected in table.items()
    ],
)
def test_window_has_these_slots(zone: ZoneInfo, window: str, expected: list[str]) -> None:
    """By the workflow's zone, not by UTC; a week begins on Monday, and `last_1_day` is yesterday."""
    assert labels(window, PLANNED, zone) == expected


@pytest.mark.parametrize("zone", [PARIS, KOLKATA])
def test_the_last_24_hours_are_those_before_the_present_one(zone: ZoneInfo) -> None:
    """Whole hours of the zone, also where its offset is no whole hour."""
    found = slots("last_24_hours", PLANNED, zone)

    assert len(found) == 24
    assert found[-1].until == slots("current_hour", PLANNED, zone)[0].begin
    assert found[-1].until - found[0].begin == 24 * HOUR


def test_slots_begin_and_end_at_these_moments() -> None:
    """In UTC."""
    (day,) = slots("today", PLANNED, KOLKATA)
    (hour,) = slots("current_hour", PLANNED, KOLKATA)

    assert (day.begin, day.until) == (
        datetime(2026, 3, 4, 18, 30, tzinfo=UTC),
        datetime(2026, 3, 5, 18, 30, tzinfo=UTC),
    )
    assert (hour.begin, hour.until) == (
        datetime(2026, 3, 4, 19, 30, tzinfo=UTC),
        datetime(2026, 3, 4, 20, 30, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("zone", "planned", "length"),
    [
        (PARIS, datetime(2026, 3, 30, 9, 0, tzinfo=UTC), 23),
        (PARIS, datetime(2026, 10, 26, 9, 0, tzinfo=UTC), 25),
        (NEW_YORK, datetime(2026, 3, 9, 15, 0, tzinfo=UTC), 23),
        (NEW_YORK, datetime(2026, 11, 2, 15, 0, tzinfo=UTC), 25),
    ],
)
def test_yesterday_was_as_long_as_the_clocks_made_it(zone: ZoneInfo, planned: datetime, length: int) -> None:
    """From midnight to midnight of the wall clock."""
    assert hours("last_1_day", planned, zone) == [length]
    assert length in hours("last_7_days", planned, zone)


@pytest.mark.parametrize(
    ("zone", "planned", "expected"),
    [
        (PARIS, datetime(2026, 3, 29, 2, 30, tzinfo=UTC), ["00:00", "01:00", "03:00"]),
        (PARIS, datetime(2026, 10, 25, 2, 30, tzinfo=UTC), ["01:00", "02:00", "02:00"]),
        (NEW_YORK, datetime(2026, 3, 8, 8, 30, tzinfo=UTC), ["00:00", "01:00", "03:00"]),
        (NEW_YORK, datetime(2026, 11, 1, 7, 30, tzinfo=UTC), ["00:00", "01:00", "01:00"]),
    ],
)
def test_hours_are_absolute_when_the_clocks_change(
    zone: ZoneInfo, planned: datetime, expected: list[str]
) -> None:
    """A skipped hour is none, a doubled one is two."""
    found = slots("last_3_hours", planned, zone)

    assert [slot.label[11:] for slot in found] == expected
    assert found[-1].until - found[0].begin == 3 * HOUR


def test_a_day_whose_midnight_is_skipped_begins_with_its_first_moment() -> None:
    """In Cairo the clocks go forward at midnight."""
    (day,) = slots("today", datetime(2026, 4, 24, 12, 0, tzinfo=UTC), ZoneInfo("Africa/Cairo"))

    assert (day.begin, (day.until - day.begin) / HOUR) == (datetime(2026, 4, 23, 22, 0, tzinfo=UTC), 23)


@pytest.mark.parametrize(
    ("planned", "begin", "end", "days"),
    [
        (datetime(2026, 3, 31, 12, 0, tzinfo=UTC), "2026-02-01", "2026-02-28", 28),
        (datetime(2028, 3, 31, 12, 0, tzinfo=UTC), "2028-02-01", "2028-02-29", 29),
        (datetime(2026, 1, 1, 12, 0, tzinfo=UTC), "2025-12-01", "2025-12-31", 31),
        (datetime(2026, 5, 1, 3, 0, tzinfo=UTC), "2026-03-01", "2026-03-31", 31),
    ],
)
def test_last_month_ends_where_it_ends(planned: datetime, begin: str, end: str, days: int) -> None:
    """Whatever today's number is, across years, and by the zone: in New York it is still April."""
    assert labels("last_month_begin", planned, NEW_YORK) == [begin]
    assert labels("last_month_end", planned, NEW_YORK) == [end]
    assert len(slots("last_month", planned, NEW_YORK)) == days


@pytest.mark.parametrize(("day", "monday"), [(1, "2026-02-23"), (2, "2026-03-02")])
def test_sunday_ends_a_week_and_monday_begins_one(day: int, monday: str) -> None:
    """On a Sunday this week began six days ago."""
    planned = datetime(2026, 3, day, 12, 0, tzinfo=UTC)

    assert labels("this_week", planned, PARIS)[0] == monday
    assert len(slots("this_week", planned, PARIS)) == (7 if day == 1 else 1)
    assert len(slots("last_week", planned, PARIS)) == 7


@given(
    st.sampled_from(WINDOWS),
    st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001  bounds
    st.sampled_from(["Europe/Paris", "America/Sao_Paulo", "Australia/Lord_Howe", "Africa/Cairo", "UTC"]),
)
def test_slots_follow_one_another_without_gap(window: str, planned: datetime, zone: str) -> None:
    """No moment lies in two slots or in none, none is empty, and none begins after the planned time."""
    found = slots(window, planned, ZoneInfo(zone))

    assert found
    assert all(one.until == other.begin for one, other in pairwise(found))
    assert all(slot.begin < slot.until for slot in found)
    assert found[0].begin <= planned
