"""Owns the cause: one sentence that says why something does not run, and the order of how decisive causes are."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What holds something back, the most decisive first: as long as one holds, those behind it matter less."""

    DATABASE_AWAY = "database_away"
    REDIS_AWAY = "redis_away"
    NO_MASTER = "no_master"
    TAKEOVER = "takeover"
    PARKED = "parked"
    START_REFUSED = "start_refused"
    STOPPING = "stopping"
    PAUSED = "paused"
    PAUSING = "pausing"
    OVERLOAD = "overload"
    COMMAND_WAITS = "command_waits"
    BACKFILL = "backfill"
    SERIAL = "serial"
    NO_START = "no_start"
    ENDING = "ending"
    BURIED = "buried"
    GROUP_UNSERVED = "group_unserved"
    WORKER_LOST = "worker_lost"
    REJECTED = "rejected"
    HELD = "held"
    SIGNAL = "signal"
    CHILD = "child"
    ELEMENTS = "elements"
    RETRY = "retry"
    DEFERRED = "deferred"
    DELAY = "delay"
    POOL = "pool"
    ROOM = "room"
    BROKER = "broker"
    MASTER_DECIDES = "master_decides"
    RUNNING = "running"
    READY = "ready"
    UPSTREAM = "upstream"
    FAILED = "failed"
    NOT_RUN = "not_run"
    ENDED = "ended"
    NOT_REACHED = "not_reached"
    SKIPPED = "skipped"
    LEFT_OUT = "left_out"
    COMMAND_REFUSED = "command_refused"
    GOING_ON = "going_on"


SERVICES = frozenset({Kind.DATABASE_AWAY, Kind.REDIS_AWAY})
"""Causes that are a service which does not answer."""

RANK = {kind: rank for rank, kind in enumerate(Kind)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One reason why a task, or the whole run, does not go on.

    Attributes:
        detail: What people read, without its subject: `waits for extract (RUNNING)`.
        task: The task it is about; `None`: the run as a whole.
        since: Since when it holds, aware UTC, where that is known.
        until: The time that is waited for, if it is one; the sentence ends with it.
        remedy: What to do about it, a command where there is one; empty where waiting is right.
    """

    kind: Kind
    detail: str
    task: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    remedy: str = ""

    def sentence(self, show: Callable[[datetime], str]) -> str:
        """Return the detail with the time that is waited for, shown by `show`."""
        return self.detail if self.until is None else f"{self.detail} until {show(self.until)}"

    def to_document(self) -> dict[str, Any]:
        """Return the cause as JSON-ready containers."""
        return {
            "task": self.task,
            "cause": str(self.kind),
            "since": self.since and iso(self.since),
            "detail": self.sentence(iso),
            "remedy": self.remedy or None,
        }


def by_weight(causes: Iterable[Cause]) -> list[Cause]:
    """Return the causes, the most decisive first; among equals they keep their order."""
    return sorted(causes, key=lambda cause: RANK[cause.kind])


def iso(at: datetime) -> str:
    """Return a time as ISO 8601 in UTC."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def named(names: Iterable[str], most: int = 3) -> str:
    """Return some names as people read them, however many there are."""
    found = list(names)
    more = len(found) - most
    return ", ".join(found[:most]) + (f" and {more} more" if more > 0 else "")
