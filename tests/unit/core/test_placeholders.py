"""Time placeholders."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.placeholders import find_faults, resolve, resolve_value
from orchestrator.errors import UnresolvedParameter

PARIS = ZoneInfo("Europe/Paris")
PLANNED = datetime(2026, 3, 31, 0, 30, 5, tzinfo=UTC)  # 02:30:05 on Tuesday the 31st in Paris


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("$[yyyy-MM-dd]", "2026-03-31"),
        ("$[yyyyMMddHHmmss]", "20260331023005"),
        ("$[yy/MM]", "26/03"),
        ("$[yyyy-MM-dd'T'HH:mm:ss]", "2026-03-31T02:30:05"),
        ("$[yyyy-MM-dd-1]", "2026-03-30"),
        ("$[yyyyMMdd+7*2]", "20260414"),
        ("$[HHmmss-1/24]", "013005"),
        ("$[HHmmss-15/24/60]", "021505"),
        ("$[yyyyMMddHH-1-3/24]", "2026032923"),
        ("$[add_months(yyyyMM,-1)]", "202602"),
        ("$[add_months(yyyy-MM-dd, -1)]", "2026-02-28"),
        ("$[add_months(yyyyMMdd,12*2)]", "20280331"),
        ("$[this_day(yyyy-MM-dd)]", "2026-03-31"),
        ("$[this_day(yyyy-MM-dd,-1)]", "2026-03-30"),
        ("$[last_day(yyyy-MM-dd)]", "2026-03-30"),
        ("$[last_day(yyyy-MM-dd,-1)]", "2026-03-29"),
        ("$[month_first_day(yyyy-MM-dd)]", "2026-03-01"),
        ("$[month_first_day(yyyy-MM-dd,-1)]", "2026-02-01"),
        ("$[month_last_day(yyyy-MM-dd,-1)]", "2026-02-28"),
        ("$[week_first_day(yyyy-MM-dd)]", "2026-03-30"),
        ("$[week_last_day(yyyy-MM-dd,1)]", "2026-04-12"),
        ("$[year_week(yyyy-MM-dd)]", "2026-14"),
        ("$[year_week(yyyyww,-1)]", "202613"),
        ("from $[yyyy] to $[MM].csv", "from 2026 to 03.csv"),
        ("$$[yyyy] costs $5", "$[yyyy] costs $5"),
    ],
)
def test_every_form_is_computed_from_the_planned_time(written: str, expected: str) -> None:
    """The forms of the language, in the workflow's zone."""
    assert resolve(written, PLANNED, PARIS) == expected


@pytest.mark.parametrize(
    "written",
    [
        "$[foo]",
        "$[]",
        "$[yyyy",
        "$[yyyy-QQ]",
        "$[tomorrow(yyyy)]",
        "$[this_day(yyyy,x)]",
        "$[yyyy-MM-01]",
        "$[yyyyww]",
    ],
)
def test_unknown_form_is_refused_and_found_by_validation(written: str) -> None:
    """What validation finds is what resolving refuses; `-01` would be an offset to some and a day to others."""
    with pytest.raises(UnresolvedParameter):
        resolve(written, PLANNED, PARIS)
    assert len(find_faults(written)) == 1


def test_days_go_by_the_calendar_and_hours_by_the_clock() -> None:
    """Over the change to summer time a day back is the same wall time, 24 hours back is not."""
    planned = datetime(2026, 3, 29, 10, 0, tzinfo=UTC)  # noon in Paris, 11 hours after it was midnight there

    assert resolve("$[dd HH-1]", planned, PARIS) == "28 12"
    assert resolve("$[dd HH-24/24]", planned, PARIS) == "28 11"


def test_skipped_wall_time_becomes_a_real_one() -> None:
    """Half past two does not exist on the day the clocks go forward."""
    planned = datetime(2026, 3, 28, 1, 30, tzinfo=UTC)

    assert resolve("$[dd HH:mm+1]", planned, PARIS) == "29 03:30"


def test_dates_outside_of_history_are_refused() -> None:
    """An offset beyond year 9999 is a fault of the parameter, not a crash."""
    for written in ("$[yyyyMMdd+9999999]", "$[add_months(yyyy,999999)]", "$[yyyy+99999999/24]"):
        with pytest.raises(UnresolvedParameter, match="years 1 to 9999"):
            resolve(written, PLANNED, PARIS)


def test_lists_and_maps_are_searched_at_any_depth() -> None:
    """Other values stay as they are."""
    value = {"a": ["$[yyyy]", 7, {"b": "$[MM]"}], "c": None}

    assert resolve_value(value, PLANNED, PARIS) == {"a": ["2026", 7, {"b": "03"}], "c": None}


@settings(deadline=None)  # the machine may be busy
@given(st.text(alphabet="$[]yMdHms-+*/0123456789(),'aw_ ", max_size=40), st.integers(0, 10**6))
def test_any_text_is_resolved_or_refused(text: str, hours: int) -> None:
    """No text brings another exception, and a text without faults resolves unless it leaves the calendar."""
    planned = PLANNED + timedelta(hours=hours)
    faults = find_faults(text)
    try:
        resolve(text, planned, PARIS)
    except UnresolvedParameter as error:
        faults = faults or ["9999"] * ("years 1 to 9999" in str(error))
        refused = True
    else:
        refused = False

    assert refused is bool(faults)
