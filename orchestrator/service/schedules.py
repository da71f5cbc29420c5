"""Owns the use cases of schedules: listing, pausing, resuming, and when they fire next."""

from datetime import UTC, datetime
from itertools import islice
from typing import Any

from orchestrator.authoring.cron import CronTimes
from orchestrator.core.schedule import upcoming
from orchestrator.service.backend import Backend
from orchestrator.store.schedules import StoredSchedule


def list_schedules(backend: Backend) -> list[dict[str, Any]]:
    """Return every schedule with the time of its next run: none while it is paused or its workflow offline."""
    now = backend.queries.now()
    return [_document(one, now) for one in backend.schedules.list()]


def set_paused(backend: Backend, schedule_id: int, *, paused: bool) -> dict[str, Any]:
    """Pause or resume a schedule; one that is so already stays so.

    Raises:
        NotFound: There is no such schedule.
    """
    changed = backend.schedules.set_paused(schedule_id, paused=paused)
    stored = backend.schedules.get(schedule_id)
    return {**_document(stored, backend.queries.now()), "changed": changed}


def next_times(backend: Backend, schedule_id: int, count: int) -> list[datetime]:
    """Return the next planned times of a schedule, paused or not, aware UTC.

    Args:
        backend: The services.
        schedule_id: The schedule.
        count: How many times at most.

    Raises:
        NotFound: There is no such schedule.
    """
    stored = backend.schedules.get(schedule_id)
    return list(islice(upcoming(stored.said, backend.queries.now(), CronTimes()), count))


def _document(stored: StoredSchedule, now: datetime) -> dict[str, Any]:
    fires = stored.online and not stored.paused
    after = max(stored.handled_until, now)
    following = next(upcoming(stored.said, after, CronTimes()), None) if fires else None
    return {
        "id": stored.id,
        "workflow": stored.workflow,
        "cron": stored.said.cron,
        "timezone": stored.said.timezone,
        "misfire": str(stored.said.misfire),
        "paused": stored.paused,
        "next": following and iso(following),
        "online": stored.online,
        "grace": stored.said.grace_s,
        "start": stored.said.starts_at and iso(stored.said.starts_at),
        "end": stored.said.ends_at and iso(stored.said.ends_at),
    }


def iso(at: datetime) -> str:
    """Return a time as ISO 8601 in UTC."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
