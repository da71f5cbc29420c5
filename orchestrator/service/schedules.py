"""Owns the use cases of schedules: listing, pausing, resuming, and when they fire next."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from orchestrator.authoring.cron import CronTimes
from orchestrator.core.definition import WorkflowDefinition
from orchestrator.core.schedule import schedules_of, upcoming
from orchestrator.errors import Fault
from orchestrator.service.records import Records
from orchestrator.store.schedules import Schedules, StoredSchedule


def list_schedules(records: Records) -> list[dict[str, Any]]:
    """Return every schedule with the time of its next run: none while it is paused or its workflow offline."""
    now = records.queries.now()
    return [_document(one, now) for one in Schedules(records.engine).list()]


def set_paused(records: Records, schedule_id: int, *, paused: bool) -> dict[str, Any]:
    """Pause or resume a schedule; one that is so already stays so.

    Raises:
        NotFound: There is no such schedule.
    """
    schedules = Schedules(records.engine)
    changed = schedules.set_paused(schedule_id, paused=paused)
    stored = schedules.get(schedule_id)
    return {**_document(stored, records.queries.now()), "changed": changed}


def next_times(records: Records, schedule_id: int, count: int) -> list[datetime]:
    """Return the next planned times of a schedule, paused or not, aware UTC.

    Args:
        records: What is stored.
        schedule_id: The schedule.
        count: How many times at most.

    Raises:
        NotFound: There is no such schedule.
    """
    stored = Schedules(records.engine).get(schedule_id)
    return list(islice(upcoming(stored.said, records.queries.now(), CronTimes()), count))


def over(definitions: Iterable[WorkflowDefinition], now: Callable[[], datetime]) -> list[Fault]:
    """Return one warning for each schedule that fires no more, because its end has passed or no time is left.

    Args:
        definitions: Valid ones.
        now: Gives the present time, aware; asked only where a schedule has an end.
    """
    ending = [
        (definition, index, schedule)
        for definition in definitions
        for index, schedule in enumerate(schedules_of(definition))
        if schedule.ends_at is not None
    ]
    if not ending:
        return []
    at = now()
    return [
        _over(definition, index)
        for definition, index, schedule in ending
        if next(upcoming(schedule, at, CronTimes()), None) is None
    ]


def _over(definition: WorkflowDefinition, index: int) -> Fault:
    written = definition.schedules[index]
    return Fault(
        message=f"'{written['cron']}' fires no more: nothing of it is left before its end, {written['end']};"
        " give it a later end, or leave the schedule out",
        field=f"schedules[{index}]",
        workflow=definition.name,
    )


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
