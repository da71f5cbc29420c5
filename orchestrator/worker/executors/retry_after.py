"""Owns the reading of `Retry-After`: how long a server that is busy asks to be left alone."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LEAST_S = 1.0
"""A server that asks for no time at all gets this much."""


def retry_after_s(header: str | None, date: str | None, now: datetime) -> float | None:
    """Return the seconds that a response asks to wait, or `None` when it does not say so readably.

    Args:
        header: `Retry-After`: whole seconds, or an HTTP date.
        date: The response's `Date`, from which an HTTP date is counted: the server's clock may differ from ours.
        now: Our time, where there is no `Date`.
    """
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return max(float(text[:12]), LEAST_S)
    until = _moment(text)
    if until is None:
        return None
    return max((until - (_moment(date or "") or now)).total_seconds(), LEAST_S)


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
