"""Each form of time placeholder in two time zones, and across the changes of their clocks."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from orchestrator.core.placeholders import resolve

PARIS, NEW_YORK = ZoneInfo("Europe/Paris"), ZoneInfo("America/New_York")

MIDNIGHT_BETWEEN = datetime(2026, 4, 1, 2, 30, 5, tzinfo=UTC)
"""04:30:05 on Wednesday, April 1st in Paris; 22:30:05 on Tuesday, March 31st in New York."""

SUNDAY_BETWEEN = datetime(2026, 3, 30, 2, 0, tzinfo=UTC)
"""A Monday in Paris, still the Sunday of the week before in New York."""

FORMS = [
    # what is written, in Paris, in New York
    ("$[yyyy-MM-dd HH:mm:ss]", "2026-04-01 04:30:05", "2026-03-31 22:30:05"),
    ("$[yy]", "26", "26"),
    ("$[yyyyMMdd-1]", "20260331", "20260330"),
    ("$[yyyyMMdd+7*2]", "20260415", "20260414"),
    ("$[HHmmss-1/24]", "033005", "213005"),
    ("$[yyyyMMddHH+3/24]", "2026040107", "2026040101"),
    ("$[HHmmss-15/24/60]", "041505", "221505"),
    ("$[HHmmss-5/24/60/60]", "043000", "223000"),
    ("$[add_months(yyyyMM,-1)]", "202603", "202602"),
    ("$[add_months(yyyy-MM-dd,-1)]", "2026-03-01", "2026-02-28"),
    ("$[this_day(yyyy-MM-dd)]", "2026-04-01", "2026-03-31"),
    ("$[this_day(yyyyMMdd,-1)]", "20260331", "20260330"),
    ("$[last_day(yyyy-MM-dd)]", "2026-03-31", "2026-03-30"),
    ("$[last_day(yyyyMMdd,-1)]", "20260330", "20260329"),
    ("$[month_first_day(yyyy-MM-dd)]", "2026-04-01", "2026-03-01"),
    ("$[month_first_day(yyyyMMdd,-1)]", "20260301", "20260201"),
    ("$[month_last_day(yyyy-MM-dd)]", "2026-04-30", "2026-03-31"),
    ("$[month_last_day(yyyyMMdd,-1)]", "20260331", "20260228"),
]
WEEKS = [
    ("$[week_first_day(yyyy-MM-dd)]", "2026-03-30", "2026-03-23"),
    ("$[week_first_day(yyyyMMdd,-1)]", "20260323", "20260316"),
    ("$[week_last_day(yyyy-MM-dd)]", "2026-04-05", "2026-03-29"),
    ("$[week_last_day(yyyyMMdd,1)]", "20260412", "20260405"),
    ("$[year_week(yyyy-MM-dd)]", "2026-14", "2026-13"),
    ("$[year_week(yyyyMMdd,-1)]", "202613", "202612"),
]

PARIS_FORWARD = datetime(2026, 3, 29, 10, 0, tzinfo=UTC)  # noon, eleven hours after midnight
PARIS_BACK = datetime(2026, 10, 25, 11, 0, tzinfo=UTC)  # noon, thirteen hours after midnight
NEW_YORK_FORWARD = datetime(2026, 3, 8, 16, 0, tzinfo=UTC)
NEW_YORK_BACK = datetime(2026, 11, 1, 17, 0, tzinfo=UTC)

NOONS = [
    # what is written; then at noon of the day on which the clocks go forward, and back, in Paris and in New York
    ("$[MMdd HH]", "0329 12", "1025 12", "0308 12", "1101 12"),
    ("$[MMdd HH-1]", "0328 12", "1024 12", "0307 12", "1031 12"),
    ("$[MMdd HH-24/24]", "0328 11", "1024 13", "0307 11", "1031 13"),
    ("$[MMdd HHmm-720/24/60]", "0328 2300", "1025 0100", "0307 2300", "1101 0100"),
    ("$[MMdd HH-1-1/24]", "0328 11", "1024 11", "0307 11", "1031 11"),
    ("$[add_months(MMdd HH,-1)]", "0228 12", "0925 12", "0208 12", "1001 12"),
    ("$[this_day(MMdd HH)]", "0329 12", "1025 12", "0308 12", "1101 12"),
    ("$[this_day(MMdd HH,-1)]", "0328 12", "1024 12", "0307 12", "1031 12"),
    ("$[last_day(MMdd HH)]", "0328 12", "1024 12", "0307 12", "1031 12"),
    ("$[month_first_day(MMdd HH)]", "0301 12", "1001 12", "0301 12", "1101 12"),
    ("$[month_last_day(MMdd HH)]", "0331 12", "1031 12", "0331 12", "1130 12"),
    ("$[week_first_day(MMdd HH)]", "0323 12", "1019 12", "0302 12", "1026 12"),
    ("$[week_last_day(MMdd HH,1)]", "0405 12", "1101 12", "0315 12", "1108 12"),
    ("$[year_week(yyyyww)]", "202613", "202643", "202610", "202644"),
    ("$[year_week(yyyyww,1)]", "202614", "202644", "202611", "202645"),
]


@pytest.mark.parametrize(("written", "in_paris", "in_new_york"), FORMS)
def test_each_form_counts_by_the_clocks_of_the_zone(written: str, in_paris: str, in_new_york: str) -> None:
    """At one moment that lies in two months."""
    assert resolve(written, MIDNIGHT_BETWEEN, PARIS) == in_paris
    assert resolve(written, MIDNIGHT_BETWEEN, NEW_YORK) == in_new_york


@pytest.mark.parametrize(("written", "in_paris", "in_new_york"), WEEKS)
def test_weeks_begin_on_the_zones_own_monday(written: str, in_paris: str, in_new_york: str) -> None:
    """At one moment that lies in two weeks."""
    assert resolve(written, SUNDAY_BETWEEN, PARIS) == in_paris
    assert resolve(written, SUNDAY_BETWEEN, NEW_YORK) == in_new_york


@pytest.mark.parametrize(
    ("planned", "in_paris", "in_new_york"),
    [
        (datetime(2027, 1, 1, 12, 0, tzinfo=UTC), "2026-53", "2026-53"),  # a Friday
        (datetime(2027, 1, 4, 2, 0, tzinfo=UTC), "2027-01", "2026-53"),  # Monday in Paris, Sunday in New York
        (datetime(2025, 12, 29, 12, 0, tzinfo=UTC), "2026-01", "2026-01"),  # a Monday
    ],
)
def test_a_week_belongs_to_one_year(planned: datetime, in_paris: str, in_new_york: str) -> None:
    """To the one that has most of its days, as ISO 8601 counts."""
    assert resolve("$[year_week(yyyy-MM-dd)]", planned, PARIS) == in_paris
    assert resolve("$[year_week(yyyy-MM-dd)]", planned, NEW_YORK) == in_new_york


@pytest.mark.parametrize(("written", "paris_forward", "paris_back", "york_forward", "york_back"), NOONS)
def test_each_form_crosses_a_change_of_the_clocks(
    written: str, paris_forward: str, paris_back: str, york_forward: str, york_back: str
) -> None:
    """Days, weeks and months keep the time of the clocks; hours and minutes are real ones."""
    assert resolve(written, PARIS_FORWARD, PARIS) == paris_forward
    assert resolve(written, PARIS_BACK, PARIS) == paris_back
    assert resolve(written, NEW_YORK_FORWARD, NEW_YORK) == york_forward
    assert resolve(written, NEW_YORK_BACK, NEW_YORK) == york_back


@pytest.mark.parametrize(
    ("planned", "written"),
    [
        (datetime(2026, 3, 7, 7, 30, tzinfo=UTC), "$[MMdd HHmm+1]"),
        (datetime(2026, 3, 7, 7, 30, tzinfo=UTC), "$[this_day(MMdd HHmm,1)]"),
        (datetime(2026, 3, 7, 7, 30, tzinfo=UTC), "$[last_day(MMdd HHmm,2)]"),
        (datetime(2026, 2, 8, 7, 30, tzinfo=UTC), "$[add_months(MMdd HHmm,1)]"),
        (datetime(2026, 3, 2, 7, 30, tzinfo=UTC), "$[week_last_day(MMdd HHmm)]"),
    ],
)
def test_a_time_that_the_clocks_skip_is_the_one_after_it(planned: datetime, written: str) -> None:
    """Half past two of March 8th does not exist in New York, whichever form comes to it."""
    assert resolve(written, planned, NEW_YORK) == "0308 0330"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("$[MMdd HHmm]", "1101 0130"),
        ("$[MMdd HHmm-1/24]", "1101 0130"),
        ("$[MMdd HHmm-2/24]", "1101 0030"),
        ("$[MMdd HHmm-1]", "1031 0130"),
        ("$[this_day(MMdd HHmm)]", "1101 0130"),
    ],
)
def test_an_hour_that_comes_twice_is_two_hours(written: str, expected: str) -> None:
    """From the second half past one an hour back leads to the first one."""
    second = datetime(2026, 11, 1, 6, 30, tzinfo=UTC)

    assert resolve(written, second, NEW_YORK) == expected
