"""Owns durations as people write them: `10s`, `5m`, `1h30m`, `2d`, or seconds as a number."""

import re
from typing import Any

LONGEST_S = 10 * 366 * 24 * 3600.0

_PARTS = re.compile(r"(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")
_MAX_LENGTH = 100
_UNITS_S = (86400, 3600, 60, 1)


def seconds(value: Any) -> float:
    """Return the duration in seconds.

    Raises:
        ValueError: It is neither a number nor written as a duration, negative, or longer than ten years.
    """
    length = _number(value)
    if not 0 <= length <= LONGEST_S:
        raise ValueError("a duration lies between 0 and 10 years")
    return length


def seconds_above_zero(value: Any) -> float:
    """Return the duration in seconds, where one of nothing has no meaning: limits and intervals.

    Raises:
        ValueError: It is 0, or no duration.
    """
    length = seconds(value)
    if length == 0:
        raise ValueError("must be longer than 0; write 10s, 5m, 1h30m, or leave the field out")
    return length


def _number(value: Any) -> float:
    match value:
        case bool():
            pass
        case int() | float():
            return float(value)
        case str() if (
            value and len(value) < _MAX_LENGTH and (parts := _PARTS.fullmatch(value.replace(" ", "")))
        ):
            return sum(float(part or 0) * unit for part, unit in zip(parts.groups(), _UNITS_S, strict=True))
        case _:
            pass
    raise ValueError("not a duration; write 10s, 5m, 1h30m or 2d")
