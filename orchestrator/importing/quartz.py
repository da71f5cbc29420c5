"""Owns the way from a Quartz cron expression of six or seven fields to ours of five or six."""

import re
from collections.abc import Callable

_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_EVERY_YEAR = ("*", "?", "1970-2099")
_FIELDS = {"second": (0, 59), "minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12)}
_SIX, _SEVEN = 6, 7


class NoEquivalent(ValueError):
    """The expression means something that ours cannot say; the message names it."""


def convert_cron(expression: str) -> str:
    """Return the cron expression that fires at the same times.

    Args:
        expression: seconds minutes hours day-of-month month day-of-week [year], in Quartz's words.

    Raises:
        NoEquivalent: It uses `L`, `W`, `#` or a year, or is no Quartz expression.
    """
    parts = expression.upper().split()
    if len(parts) not in (_SIX, _SEVEN):
        raise NoEquivalent(f"'{expression}' is no Quartz expression: it has {len(parts)} fields, not 6 or 7")
    if len(parts) == _SEVEN and parts[6] not in _EVERY_YEAR:
        raise NoEquivalent(f"the year '{parts[6]}' has no equivalent; give the schedule a start and an end")
    seconds, minutes, hours = (
        _field(name, part) for name, part in zip(("second", "minute", "hour"), parts[:3], strict=True)
    )
    day, month = _day_of_month(parts[3]), _each(parts[4], _month, 12, "month")
    weekday = _weekdays(parts[5])
    if "*" not in (day, weekday):
        raise NoEquivalent("a day of the month and a day of the week together have no equivalent")
    five = f"{minutes} {hours} {day} {month} {weekday}"
    return five if seconds == "0" else f"{seconds} {five}"


def _field(name: str, part: str) -> str:
    return _each(part, lambda text: _number(text, name), _FIELDS[name][1], name)


def _day_of_month(part: str) -> str:
    for letter, meaning in (("L", "last day"), ("W", "nearest weekday")):
        if letter in part:
            raise NoEquivalent(f"'{letter}' ({meaning}) in the day of the month '{part}' has no equivalent")
    return "*" if part == "?" else _field("day", part)


def _weekdays(part: str) -> str:
    if part in ("*", "?"):
        return "*"
    for letter, meaning in (("L", "last of the month"), ("#", "nth of the month"), ("W", "nearest weekday")):
        if letter in re.sub("|".join(_DAYS), "", part):
            raise NoEquivalent(f"'{letter}' ({meaning}) in the day of the week '{part}' has no equivalent")
    numbers = sorted({day for term in part.split(",") for day in _weekday_term(term)})
    if len(numbers) == len(_DAYS):
        return "*"
    is_span = len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1  # noqa: PLR2004 - shorter as a span
    return f"{numbers[0]}-{numbers[-1]}" if is_span else ",".join(str(number) for number in numbers)


def _weekday_term(term: str) -> list[int]:
    """Return the days of one term, 0 for Sunday; a range may run over the end of the week."""
    span, slash, step = term.partition("/")
    first, dash, last = span.partition("-")
    begin = 0 if first == "*" else _weekday(first)
    end = _weekday(last) if dash else 6 if slash or first == "*" else begin
    days = [day % 7 for day in range(begin, (end if end >= begin else end + 7) + 1)]
    return days[:: _step(step, "day of the week")] if slash else days


def _weekday(text: str) -> int:
    if text in _DAYS:
        return _DAYS.index(text)
    if text in tuple("1234567"):
        return int(text) - 1
    raise NoEquivalent(f"'{text}' is no day of the week in Quartz: 1 (Sunday) to 7, or SUN to SAT")


def _each(part: str, value: Callable[[str], int], largest: int, name: str) -> str:
    if part == "?":
        raise NoEquivalent(f"'?' has no meaning in the {name}")
    return ",".join(_term(term, value, largest, name) for term in part.split(","))


def _term(term: str, value: Callable[[str], int], largest: int, name: str) -> str:
    span, slash, step = term.partition("/")
    tail = f"/{_step(step, name)}" if slash else ""
    if span in ("*", ""):
        if not span and not slash:
            raise NoEquivalent(f"the {name} is empty")
        return f"*{tail}"
    first, dash, last = span.partition("-")
    begin = value(first)
    if dash:
        end = value(last)
        if end < begin:
            raise NoEquivalent(f"the range '{span}' of the {name} runs backwards; write two ranges")
        return f"{begin}-{end}{tail}"
    if not slash:
        return str(begin)
    return f"*{tail}" if begin == _smallest(name) else f"{begin}-{largest}{tail}"


def _smallest(name: str) -> int:
    return _FIELDS[name][0]


def _step(text: str, name: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text[:4]) > 0 and len(text) < 4):  # noqa: PLR2004 - digits
        raise NoEquivalent(f"the step '{text}' of the {name} is no number above 0")
    return int(text)


def _month(text: str) -> int:
    return _MONTHS.index(text) + 1 if text in _MONTHS else _number(text, "month")


def _number(text: str, name: str) -> int:
    smallest, largest = _FIELDS[name]
    fits = text.isascii() and text.isdecimal() and len(text) < 4 and smallest <= int(text) <= largest  # noqa: PLR2004
    if not fits:
        raise NoEquivalent(f"'{text[:20]}' is no {name}: {smallest} to {largest}")
    return int(text)
