"""Owns what a cron expression means: its fire times in a time zone, right across every change of the clocks.

`cronsim` is asked about clocks without a zone only: with one it misses and adds times where the clocks change by
half an hour, and does not come back where they change at midnight (tried, 2.7). Which real time a clock's time is,
is decided here.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
STRIDE = timedelta(hours=12)
"""No zone changes its clocks twice within this time."""

SOME_DAY = datetime(2026, 1, 1)  # noqa: DTZ001  a clock's time
FIRST_LOOK_BACK, LONGEST_LOOK_BACK = timedelta(minutes=2), timedelta(days=50 * 366)
HOURS, FIELDS = 24, 5


class CronTimes:
    """The fire times of cron expressions of five fields, or six with seconds first.

    A *fixed* hour that the clocks skip fires once, at the next minute that exists; one that comes twice fires the
    first time only. Where the hour begins with `*`, every real hour counts: nothing is made up, nothing left out.
    """

    def after(self, cron: str, timezone: str, moment: datetime) -> Iterator[datetime]:
        """Yield the fire times after `moment`, ascending, aware UTC, until there is none for fifty years.

        Args:
            cron: An expression that `check` accepts.
            timezone: IANA name.
            moment: Aware.
        """
        zone, start = ZoneInfo(timezone), moment.astimezone(UTC)
        try:
            yield from (_every_real_hour if _counts_real_hours(cron) else _by_the_clock)(cron, zone, start)
        except OverflowError:  # the calendar ends
            return

    def before(self, cron: str, timezone: str, moment: datetime) -> datetime | None:
        """Return the last fire time before `moment`; `None` when there was none for fifty years."""
        span = FIRST_LOOK_BACK
        while span < LONGEST_LOOK_BACK:
            last = None
            for at in self.after(cron, timezone, moment - span):
                if at >= moment:
                    break
                last = at
            if last is not None:
                return last
            span *= 8
        return None


def check(cron: str) -> None:
    """Return if `cron` is an expression that fires at some time.

    Raises:
        ValueError: It is none, or it never fires; the message says what would be right.
    """
    try:
        times = CronSim(cron, SOME_DAY)
    except (CronSimError, ValueError, IndexError) as error:
        if _is_a_date_that_no_month_has(cron):
            raise ValueError(f"'{cron}' never fires: no date matches it") from None
        raise ValueError(
            f"'{cron}' is no cron expression: {_bad_fields(cron) or error}; write minute hour day month weekday, "
            "or six fields with seconds first"
        ) from None
    if next(times, None) is None:
        raise ValueError(f"'{cron}' never fires: no date matches it")


def _bad_fields(cron: str) -> str:
    """Return all fields that are wrong by themselves, as people read them: the library names the first only."""
    fields = cron.split()
    if len(fields) not in (FIELDS, FIELDS + 1):
        return ""
    bad = []
    for place, field in enumerate(fields):
        alone = ["*"] * len(fields)
        alone[place] = field
        try:
            CronSim(" ".join(alone), SOME_DAY)
        except (CronSimError, ValueError, IndexError) as error:
            bad.append(f"{str(error).lower()} '{field}'")
    return ", ".join(bad)


def _is_a_date_that_no_month_has(cron: str) -> bool:
    """Return whether `cron` would be an expression in every month: then it is its date that does not exist."""
    fields = cron.split()
    if len(fields) not in (FIELDS, FIELDS + 1):
        return False
    try:
        CronSim(" ".join([*fields[:-2], "*", fields[-1]]), SOME_DAY)
        CronSim(" ".join([*fields[:-3], "*", *fields[-2:]]), SOME_DAY)
    except (CronSimError, ValueError, IndexError):
        return False
    return True


def _counts_real_hours(cron: str) -> bool:
    return cron.split()[-4].startswith("*") or len(CronSim(cron, SOME_DAY).hours) == HOURS


def _by_the_clock(cron: str, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    last = after
    for clock in CronSim(cron, _clock(after, zone)):
        at = _existing(clock, zone).replace(tzinfo=zone).astimezone(UTC)  # fold=0: the first of two
        if at > last:  # several skipped ones are one
            yield at
            last = at


def _existing(clock: datetime, zone: ZoneInfo) -> datetime:
    """Return `clock` if the clocks of `zone` ever show it, else the next minute that they do."""
    if _is_shown(clock, zone):
        return clock
    clock = clock.replace(second=0)
    while not _is_shown(clock, zone):
        clock += MINUTE
    return clock


def _is_shown(clock: datetime, zone: ZoneInfo) -> bool:
    return _clock(clock.replace(tzinfo=zone).astimezone(UTC), zone) == clock


def _every_real_hour(cron: str, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """Yield every time whose clock matches: the clocks run evenly from one change to the next."""
    while True:
        offset, change = _offset(after, zone), None
        for clock in CronSim(cron, _clock(after, zone)):
            at = (clock - offset).replace(tzinfo=UTC)
            change = _change(zone, after, at)
            if change is not None:
                break
            yield at
            after = at
        if change is None:
            return
        at = change.replace(microsecond=0)
        if next(CronSim(cron, _clock(at, zone) - SECOND)) == _clock(at, zone):
            yield at
        after = at


def _change(zone: ZoneInfo, after: datetime, until: datetime) -> datetime | None:
    """Return the first second after `after`, up to `until`, whose offset is another one."""
    offset, low = _offset(after, zone), after
    while low < until:
        high = min(low + STRIDE, until)
        if _offset(high, zone) != offset:
            return _first_with_another(zone, low.replace(microsecond=0), high)
        low = high
    return None


def _first_with_another(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    offset, width = _offset(low, zone), int((high - low).total_seconds())
    first, last = 0, width
    while last - first > 1:
        middle = (first + last) // 2
        if _offset(low + middle * SECOND, zone) == offset:
            first = middle
        else:
            last = middle
    return low + last * SECOND


def _offset(at: datetime, zone: ZoneInfo) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta()


def _clock(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None, fold=0)
