"""Owns the time placeholders `$[...]`: dates and times computed from the planned time (DolphinScheduler)."""

import calendar
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import prod
from typing import Any
from zoneinfo import ZoneInfo

from orchestrator.errors import UnresolvedParameter

# `$$[` is the text `$[`; an opening without its end is matched too, so that it is a fault and not text.
_PLACEHOLDER = re.compile(r"\$\$\[|\$\[([^\[\]]*)\]|(\$\[)")
_CALL = re.compile(r"\s*([a-z_]+)\s*\(\s*([^(),]*?)\s*(?:,\s*([^(),]*?)\s*)?\)\s*")
_TERM = r"[+-]\s*(?:0|[1-9][0-9]{0,8})(?:\*[0-9]{1,9})*(?:/24(?:/60){0,2})?"
_OFFSETS = re.compile(rf"(.*?)((?:{_TERM})*)", re.DOTALL)
_FORMAT = re.compile(r"yyyy|yy|MM|dd|HH|mm|ss|ww|'[^']*'|[^A-Za-z']")
_ZERO = re.compile(r"[+-]0[0-9]*$")
_WHOLE_OFFSET = re.compile(r"[+-]?\s*[0-9]{1,9}(?:\s*\*\s*[0-9]{1,9})*")

MOMENT = frozenset({"yyyy", "yy", "MM", "dd", "HH", "mm", "ss"})
WEEK = frozenset({"yyyy", "yy", "ww"})
FORMS = (
    "yyyy-MM-dd (tokens yyyy yy MM dd HH mm ss), yyyyMMdd-1 (days), HHmmss-1/24 (hours), HHmmss-15/24/60 "
    "(minutes), add_months(yyyyMM,-1), and this_day, last_day, month_first_day, month_last_day, "
    "week_first_day, week_last_day, year_week as name(format) or name(format,offset)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placeholder:
    """One parsed placeholder: which moment it means, and how that is written."""

    form: str
    pattern: str
    days: int = 0
    seconds: int = 0
    steps: int = 0


def resolve(text: str, planned: datetime, zone: ZoneInfo) -> str:
    """Return `text` with every placeholder replaced and `$$[` turned into `$[`.

    Args:
        text: Any text.
        planned: The planned time, aware.
        zone: The workflow's time zone.

    Raises:
        UnresolvedParameter: A placeholder has no known form, or its date lies outside the years 1 to 9999.
    """
    return _PLACEHOLDER.sub(lambda match: _replacement(match, planned, zone), text)


def resolve_value(value: Any, planned: datetime, zone: ZoneInfo) -> Any:
    """Return `value` with the placeholders in all its texts replaced, in lists and maps at any depth.

    Raises:
        UnresolvedParameter: As `resolve`.
    """
    match value:
        case str():
            return resolve(value, planned, zone)
        case list() | tuple():
            return [resolve_value(one, planned, zone) for one in value]
        case Mapping():
            return {key: resolve_value(one, planned, zone) for key, one in value.items()}
        case _:
            return value


def find_faults(text: str) -> list[str]:
    """Return one message for each placeholder in `text` that has no known form."""
    faults = []
    for match in _PLACEHOLDER.finditer(text):
        try:
            _parsed(match)
        except UnresolvedParameter as error:
            faults.append(str(error))
    return faults


def parse(body: str) -> Placeholder:
    """Return what stands between `$[` and `]`, understood.

    Raises:
        UnresolvedParameter: It has no known form.
    """
    if call := _CALL.fullmatch(body):
        return _parse_call(body, call[1], call[2], call[3])
    offsets = _OFFSETS.fullmatch(body)
    if offsets is None or not _is_format(offsets[1], MOMENT):
        raise _unknown(body)
    days, seconds = _parse_offsets(offsets[2])
    return Placeholder(form="this_day", pattern=offsets[1], days=days, seconds=seconds)


def _replacement(match: re.Match[str], planned: datetime, zone: ZoneInfo) -> str:
    placeholder = _parsed(match)
    if placeholder is None:
        return "$["
    try:
        moment = _FORMS[placeholder.form](planned.astimezone(zone), placeholder.steps)
        moment = _by_calendar(moment, placeholder.days)
        moment = (moment.astimezone(UTC) + timedelta(seconds=placeholder.seconds)).astimezone(zone)
    except (OverflowError, ValueError):
        raise UnresolvedParameter(f"{match[0]} lies outside the years 1 to 9999") from None
    return _write(placeholder.pattern, moment)


def _parsed(match: re.Match[str]) -> Placeholder | None:
    if match[2]:
        raise UnresolvedParameter("'$[' is never closed by ']'; write $$[ for the text $[")
    return None if match[1] is None else parse(match[1])


def _unknown(body: str) -> UnresolvedParameter:
    return UnresolvedParameter(
        f"$[{body}] is not a time placeholder; known: {FORMS}; write $$[ for the text $["
    )


def _parse_call(body: str, name: str, pattern: str, offset: str | None) -> Placeholder:
    whole = _WHOLE_OFFSET.fullmatch(offset or "0")
    pattern, tokens = (_week_pattern(pattern), WEEK) if name == "year_week" else (pattern, MOMENT)
    if name not in _FORMS or whole is None or not _is_format(pattern, tokens):
        raise _unknown(body)
    return Placeholder(form=name, pattern=pattern, steps=_whole(whole[0]))


def _week_pattern(pattern: str) -> str:
    """A date format, which users bring along, means year and week with its first separator."""
    return re.sub(r"MM[^A-Za-z]*dd", "ww", pattern).replace("MM", "ww")


def _is_format(pattern: str, allowed: frozenset[str]) -> bool:
    tokens = _FORMAT.findall(pattern)
    words = {token for token in tokens if token[0].isalpha()}
    # `yyyy-MM-01` would be an offset of -1 day to DolphinScheduler and the first of the month to people
    return "".join(tokens) == pattern and bool(words) and words <= allowed and not _ZERO.search(pattern)


def _parse_offsets(text: str) -> tuple[int, int]:
    days = seconds = 0
    for term in re.findall(_TERM, text):
        whole, *parts = term.split("/")
        match len(parts):
            case 0:
                days += _whole(whole)
            case parts_count:
                seconds += _whole(whole) * (3600, 60, 1)[parts_count - 1]
    return days, seconds


def _whole(text: str) -> int:
    digits = text.replace(" ", "")
    sign = -1 if digits.startswith("-") else 1
    return sign * prod(int(part) for part in digits.lstrip("+-").split("*"))


def _by_calendar(moment: datetime, days: int) -> datetime:
    """Move by whole days on the wall clock; a wall time that daylight saving skips moves on to a real one."""
    if not days:
        return moment
    moved = moment.replace(fold=0) + timedelta(days=days)
    return moved.astimezone(UTC).astimezone(moment.tzinfo)


def _months(moment: datetime, months: int) -> datetime:
    """Move by whole months; a day that the month does not have becomes its last."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    if not 1 <= year <= 9999:  # noqa: PLR2004 - what datetime can hold
        raise OverflowError
    last = calendar.monthrange(year, month + 1)[1]
    return moment.replace(year=year, month=month + 1, day=min(moment.day, last), fold=0)


def _month_last(moment: datetime, steps: int) -> datetime:
    moved = _months(moment, steps)
    return moved.replace(day=calendar.monthrange(moved.year, moved.month)[1])


_FORMS: dict[str, Callable[[datetime, int], datetime]] = {
    "add_months": _months,
    "this_day": _by_calendar,
    "last_day": lambda moment, steps: _by_calendar(moment, steps - 1),
    "month_first_day": lambda moment, steps: _months(moment.replace(day=1), steps),
    "month_last_day": _month_last,
    "week_first_day": lambda moment, steps: _by_calendar(moment, 7 * steps - moment.weekday()),
    "week_last_day": lambda moment, steps: _by_calendar(moment, 7 * steps + 6 - moment.weekday()),
    "year_week": lambda moment, steps: _by_calendar(moment, 7 * steps),
}


def _write(pattern: str, moment: datetime) -> str:
    iso = moment.isocalendar()
    year = iso.year if "ww" in pattern else moment.year
    values = {
        "yyyy": f"{year:04}",
        "yy": f"{year % 100:02}",
        "MM": f"{moment.month:02}",
        "dd": f"{moment.day:02}",
        "HH": f"{moment.hour:02}",
        "mm": f"{moment.minute:02}",
        "ss": f"{moment.second:02}",
        "ww": f"{iso.week:02}",
    }
    return "".join(values.get(token, token.strip("'")) for token in _FORMAT.findall(pattern))
