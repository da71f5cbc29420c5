"""Quartz expressions become ours, or are refused by name."""

from datetime import UTC, datetime

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.importing.quartz import NoEquivalent, convert_cron


@pytest.mark.parametrize(
    ("quartz", "ours"),
    [
        ("0 0 2 * * ? *", "0 2 * * *"),
        ("0 0 2 * * ?", "0 2 * * *"),
        ("30 0 2 ? * MON-FRI", "30 0 2 * * 1-5"),
        ("0 0/15 * * * ?", "*/15 * * * *"),
        ("0 7/15 8-18/2 * * ?", "7-59/15 8-18/2 * * *"),
        ("0 0 0 1,15 JAN,JUL ?", "0 0 1,15 1,7 *"),
        ("0 0 3 ? * 1", "0 3 * * 0"),
        ("0 0 3 ? * 2,7", "0 3 * * 1,6"),
        ("0 0 3 ? * FRI-MON", "0 3 * * 0,1,5,6"),
        ("0 0 3 ? * 2/2", "0 3 * * 1,3,5"),
        ("* * * * * ? *", "* * * * * *"),
    ],
)
def test_expression_that_fires_at_the_same_times(quartz: str, ours: str) -> None:
    """Seconds of 0 are left out, `?` becomes `*`, days count from Sunday = 0 instead of 1."""
    assert convert_cron(quartz) == ours


@pytest.mark.parametrize(
    ("quartz", "named"),
    [
        ("0 0 2 L * ?", "'L'"),
        ("0 0 2 15W * ?", "'W'"),
        ("0 0 2 LW * ?", "'L'"),
        ("0 0 2 ? * 6L", "'L'"),
        ("0 0 2 ? * 6#3", "'#'"),
        ("0 0 2 * * ? 2027", "year '2027'"),
        ("0 0 2 1 * MON", "together"),
        ("0 2 * * *", "5 fields"),
        ("0 0 25 * * ?", "'25' is no hour"),
        ("0 0 22-4 * * ?", "backwards"),
        ("0 0/0 2 * * ?", "step '0'"),
        ("0 0 2 ? * 8", "'8' is no day of the week"),
        ("", "0 fields"),
    ],
)
def test_what_has_no_equivalent_is_named(quartz: str, named: str) -> None:
    """`L`, `W`, `#`, a year and what is no expression are refused with what stands there."""
    with pytest.raises(NoEquivalent, match=named):
        convert_cron(quartz)


@given(st.text("0123456789*/,-?LW# MONSUTWEDFRI", max_size=40))
def test_any_text_becomes_a_cron_expression_or_is_refused(text: str) -> None:
    """What comes out is always an expression that our schedules take."""
    try:
        ours = convert_cron(text)
    except NoEquivalent:
        return

    assert CronSim(ours, datetime(2026, 1, 1, tzinfo=UTC)).parts
