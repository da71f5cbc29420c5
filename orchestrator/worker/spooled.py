"""Owns what stands in a spool: events without a verdict, and the attempts that run, as values of their rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

EVENT_COLUMNS = "spool_id, incarnation, slot, order_id, payload, entry, written_at"

ATTEMPT_COLUMNS = (
    "order_id, incarnation, pid, thread, process_group, group_started, deadline, ending, ending_at"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpooledEvent:
    """One event without a verdict.

    Attributes:
        entry: Id of its stream entry; `None` when it was never sent.
        written_at: Seconds since the epoch.
    """

    spool_id: int
    incarnation: str
    slot: int
    order_id: str
    payload: bytes
    entry: str | None
    written_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFacts:
    """What the main process needs to end an attempt that one of its children runs.

    Attributes:
        pid: The child that runs it, or the main process itself (solo and threads pools).
        thread: Thread that runs it, when the pool has threads instead of children.
        process_group: Group of everything the attempt started; `None` when it has none of its own.
        group_started: When that group's leader started, seconds since the epoch.
        deadline: `time.monotonic()` after which the worker ends it; `None`: never.
        ending: Why it is being ended (`timeout`, `stop`, `stale`, `partition`), once it is.
        ending_at: `time.monotonic()` of that decision.
    """

    order_id: str
    incarnation: str
    pid: int
    thread: int | None = None
    process_group: int | None = None
    group_started: float | None = None
    deadline: float | None = None
    ending: str | None = None
    ending_at: float | None = None


def facts_of(row: Sequence[Any]) -> AttemptFacts:
    """Return an attempt from its `ATTEMPT_COLUMNS`."""
    return AttemptFacts(
        order_id=row[0], incarnation=row[1], pid=row[2], thread=row[3], process_group=row[4],
        group_started=row[5], deadline=row[6], ending=row[7], ending_at=row[8],
    )  # fmt: skip


def event_of(row: Sequence[Any]) -> SpooledEvent:
    """Return an event from its `EVENT_COLUMNS`."""
    return SpooledEvent(
        spool_id=row[0], incarnation=row[1], slot=row[2], order_id=row[3], payload=row[4], entry=row[5],
        written_at=row[6],
    )  # fmt: skip
