"""Owns the product's ERROR lines: each that no fault accounts for is a violation."""

import logging
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from typing import Any

import structlog

EXPECTED = frozenset({"event.buried", "worker.executor_failed", "order.failed"})
"""What faults alone bring about; so do alerts."""

BROUGHT_ABOUT_BY = {"event.dropped": "event_forged"}
"""What one kind of fault brings about, and nothing else may."""

QUIET = structlog.make_filtering_bound_logger(logging.CRITICAL)
ERRORS = structlog.make_filtering_bound_logger(logging.ERROR)


@contextmanager
def into(wrong: list[str], happened: Sequence[str]) -> Iterator[None]:
    """Add a line to `wrong` for each unexpected ERROR of the product, while the context is open.

    Args:
        wrong: Grows.
        happened: The kinds of the faults that have hit so far.
    """
    before = structlog.get_config()
    was_quiet = before["wrapper_class"] is QUIET

    def keep(_logger: Any, level: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        name = str(event.get("event", ""))
        if level in {"error", "critical"} and not _is_expected(name, happened):
            wrong.append(f"ERROR: the product logs {name}: {_why(event)}")
        if was_quiet:
            raise structlog.DropEvent
        return event

    structlog.configure(
        processors=[keep, *before["processors"]],
        wrapper_class=ERRORS if was_quiet else before["wrapper_class"],
    )
    try:
        yield
    finally:
        structlog.configure(**before)


def _is_expected(name: str, happened: Sequence[str]) -> bool:
    """Whether faults account for an ERROR."""
    return name in EXPECTED or name.startswith("alert.") or BROUGHT_ABOUT_BY.get(name) in happened


def _why(event: MutableMapping[str, Any]) -> str:
    """Return what a line says beside its name."""
    return ", ".join(f"{name}={value!r}" for name, value in event.items() if name != "event")
