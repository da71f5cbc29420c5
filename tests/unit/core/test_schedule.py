"""What a look at a schedule decides: what is on time fires, what was missed follows its rule."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestrator.core.schedule import (
    Decision,
    Misfire,
    Schedule,
    decide,
    is_whole_day,
    moment,
    schedules_of,
)
from tests.builders import a_definition

START = datetime(2026, 11, 1, tzinfo=UTC)


class EveryMinute:
    """Fire times at each full minute, whatever the expression says."""

    def after(self, _cron: str, _timezone: str, at: datetime) -> Iterator[datetime]:
        """Yield the full minutes after `at`."""
        whole = at.replace(second=0, microsecond=0)
        while True:
            whole += timedelta(minutes=1)
            yield whole

    def before(self, _cron: str, _timezone: str, at: datetime) -> datetime | None:
        """Return the full minute before `at`."""
        whole = at.replace(second=0, microsecond=0)
        return whole if whole < at else whole - timedelta(minutes=1)


def minute(number: float) -> datetime:
    """Return a time so many minutes after the beginning."""
    return START + timedelta(minutes=number)


def look(handled: float, live: float, now: float, most: int = 100, **said: Any) -> Decision:
    """Decide at minute `now` about what was handled until `handled`, with somebody there since `live`."""
    return decide(
        Schedule(**{"cron": "* * * * *", "timezone": "UTC", **said}),
        handled_until=minute(handled),
        live_since=minute(live),
        now=minute(now),
        times=EveryMinute(),
        most=most,
    )


def planned(decision: Decision) -> list[float]:
    """Return the minutes that fire."""
    return [(fire.planned_time - START).total_seconds() / 60 for fire in decision.fires]


@pytest.mark.parametrize("misfire", list(Misfire))
def test_what_is_on_time_fires_whatever_the_rule(misfire: Misfire) -> None:
    """Somebody looked all the time: late by a moment is not missed."""
    decision = look(4.5, 0, 6.2, misfire=misfire)

    assert planned(decision) == [5, 6]
    assert (decision.handled_until, decision.next_at) == (minute(6.2), minute(7))


@pytest.mark.parametrize(
    ("misfire", "grace_min", "expected"),
    [
        ("skip", None, [9]),
        ("skip", 2.5, [7, 8, 9]),
        ("once", None, [8, 9]),
        ("once", 0.5, [9]),
        ("once", 2.5, [8, 9]),
        ("all", None, [3, 4, 5, 6, 7, 8, 9]),
        ("all", 3.5, [6, 7, 8, 9]),
        ("all", 0.1, [9]),
    ],
)
def test_what_was_missed_follows_the_rule(
    misfire: str, grace_min: float | None, expected: list[float]
) -> None:
    """Nobody was there from minute 2.5 to 8.5; at 9.4 minute 9 is on time, and 3 to 8 were missed."""
    grace_s = None if grace_min is None else grace_min * 60

    decision = look(2.5, 8.5, 9.4, misfire=Misfire(misfire), grace_s=grace_s)

    assert planned(decision) == expected
    assert decision.next_at == minute(10)


def test_a_second_look_finds_nothing_left() -> None:
    """Whatever the rule, what was decided is not decided again."""
    for misfire in Misfire:
        first = look(2.5, 8.5, 9.4, misfire=misfire)
        handled = (first.handled_until - START).total_seconds() / 60
        assert planned(look(handled, 8.5, 9.5, misfire=misfire)) == []


def test_many_missed_times_come_in_parts() -> None:
    """A look starts so many at most; the next one is due at once and goes on behind them."""
    first = look(0, 10.5, 10.5, most=4, misfire=Misfire.ALL)
    second = look(4, 10.5, 10.5, most=4, misfire=Misfire.ALL)

    assert (planned(first), first.handled_until, first.next_at) == ([1, 2, 3, 4], minute(4), minute(10.5))
    assert planned(second) == [5, 6, 7, 8]


def test_start_and_end_are_included() -> None:
    """Nothing fires outside them; after the end nothing is looked at any more."""
    window: dict[str, Any] = {"starts_at": minute(2), "ends_at": minute(4)}

    inside = look(0, 0, 3.5, **window)
    after = look(3.5, 0, 9, **window)

    assert (planned(inside), inside.next_at) == ([2, 3], minute(4))
    assert (planned(after), after.next_at) == ([4], None)
    assert planned(look(0, 8, 9, misfire=Misfire.ONCE, **window)) == [4]
    assert planned(look(0, 1.5, 1.6, misfire=Misfire.ONCE, **window)) == []


def test_clock_that_goes_back_fires_nothing_twice() -> None:
    """What was handled stays handled; the next run is the first that was not."""
    decision = look(30, 0, 10)

    assert (planned(decision), decision.handled_until, decision.next_at) == ([], minute(30), minute(31))


def test_interval_begins_at_the_fire_time_before() -> None:
    """Also where that was not run: it is the cron's, not history's."""
    decision = look(2.5, 8.5, 9.4, misfire=Misfire.ONCE)

    assert [fire.interval_start for fire in decision.fires] == [minute(7), minute(8)]


def test_text_is_a_time_of_the_zone_and_a_day_ends_with_its_last_moment() -> None:
    """Without an offset the clocks of the zone count; an end on a day includes the day."""
    assert moment("2026-11-01T02:00", "Europe/Paris") == datetime(2026, 11, 1, 1, tzinfo=UTC)
    assert moment("2026-11-01T02:00+05:00", "Europe/Paris") == datetime(2026, 10, 31, 21, tzinfo=UTC)
    assert moment("2026-11-01", "UTC") == START
    assert moment("2026-11-01", "UTC", ends=True) == START + timedelta(days=1, microseconds=-1)
    assert (is_whole_day("2026-11-01"), is_whole_day("2026-11-01T00:00")) == (True, False)


def test_a_schedule_has_the_zone_of_its_workflow_unless_it_names_one() -> None:
    """Each of several its own; what is left out of one has its default."""
    written = ({"cron": "0 2 * * *"}, {"cron": "0 2 * * *", "timezone": "Asia/Tokyo", "misfire": "all"})
    definition = a_definition(timezone="Europe/Paris", schedules=written)

    found = schedules_of(definition)

    assert [(one.timezone, one.misfire) for one in found] == [
        ("Europe/Paris", Misfire.ONCE),
        ("Asia/Tokyo", Misfire.ALL),
    ]
