"""Owns the use case "backfill": from a range of time to one run for each planned time in it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from orchestrator.authoring.cron import CronTimes
from orchestrator.core.schedule import Fire, Schedule, fires_between, moment
from orchestrator.errors import NotFound, UserError
from orchestrator.service.backend import Backend
from orchestrator.service.finding import find
from orchestrator.service.parameters import parameters_from_texts, read_pairs
from orchestrator.service.schedules import iso
from orchestrator.store.definitions import StoredDefinition
from orchestrator.store.new_backfills import BackfillRequest

MOST_RUNS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillOptions:
    """What is to be filled, as people say it.

    Attributes:
        first: Where the range begins, ISO 8601; without an offset the schedule's or workflow's clocks count.
        last: Where it ends; a day without a time of day is meant as a whole.
        schedule: Id of the schedule whose times are meant; `None`: the workflow's only one, else daily.
        max_parallel: So many at a time; 1: the first failure ends it; `None`: all at once.
        descending: The latest planned time first.
        existing: What becomes of planned times that have a run: `skip` or `rerun`.
        parameters: Start parameters as NAME=VALUE.
    """

    first: str
    last: str
    schedule: int | None = None
    max_parallel: int | None = None
    descending: bool = False
    existing: str = "skip"
    parameters: tuple[str, ...] = ()


def backfill(backend: Backend, name: str, options: BackfillOptions) -> dict[str, Any]:
    """Make one run for each planned time of the range, or run again what is there; a master starts them in order.

    Raises:
        NotFound: There is no such workflow or schedule.
        UserError: The range is wrong, empty or too long, or a parameter is wrong.
        Conflict: The workflow is offline.
    """
    stored = find(backend, name, None)
    parameters = parameters_from_texts(stored.definition, read_pairs(options.parameters))
    schedule, first, last = _range(backend, stored, options)
    fires = _fires(schedule, first, last)
    request = BackfillRequest(
        definition_id=stored.id,
        fires=tuple(reversed(fires)) if options.descending else fires,
        first=first,
        last=last,
        cron=schedule.cron,
        timezone=schedule.timezone,
        max_parallel=options.max_parallel,
        params=parameters,
        reruns=options.existing == "rerun",
    )
    made = backend.backfills.create(request)
    for slot in made.slots:
        backend.wake(slot)
    return {
        "backfill_id": made.id,
        "workflow_instance_ids": list(made.runs),
        "rerun": list(made.again),
        "skipped": [iso(one) for one in made.skipped],
    }


def _range(
    backend: Backend, stored: StoredDefinition, options: BackfillOptions
) -> tuple[Schedule, datetime, datetime]:
    """Return what gives the planned times, and the range's first and last moment."""
    chosen = _chosen(backend, stored, options.schedule)
    zone = chosen.timezone if chosen else stored.definition.timezone
    first = _moment("--from", options.first, zone, ends=False).replace(microsecond=0)
    last = _moment("--to", options.last, zone, ends=True)
    if last < first:
        raise UserError(f"--from {options.first} lies after --to {options.last}")
    return chosen or _daily(first, zone), first, last


def _chosen(backend: Backend, stored: StoredDefinition, schedule_id: int | None) -> Schedule | None:
    name = stored.definition.name
    known = {one.id: one.said for one in backend.schedules.list(name)}
    if schedule_id is not None:
        if schedule_id not in known:
            has = f"it has {_listed(known)}" if known else "it has none"
            raise NotFound(f"workflow '{name}' has no schedule {schedule_id}; {has}")
        return known[schedule_id]
    if len(known) > 1:
        raise UserError(f"workflow '{name}' has several schedules; say which: --schedule {_listed(known)}")
    return next(iter(known.values()), None)


def _listed(known: Iterable[int]) -> str:
    return " or ".join(str(one) for one in sorted(known))


def _daily(first: datetime, zone: str) -> Schedule:
    """Return the schedule that fires each day at the time of day of `first`."""
    clock = first.astimezone(ZoneInfo(zone))
    return Schedule(cron=f"{clock.second} {clock.minute} {clock.hour} * * *", timezone=zone)


def _fires(schedule: Schedule, first: datetime, last: datetime) -> tuple[Fire, ...]:
    fires = tuple(islice(fires_between(schedule, first, last, CronTimes()), MOST_RUNS + 1))
    if not fires:
        raise UserError(f"no planned time of '{schedule.cron}' ({schedule.timezone}) lies in this range")
    if len(fires) > MOST_RUNS:
        raise UserError(f"more than {MOST_RUNS} planned times lie in this range; take a shorter one")
    return fires


def _moment(option: str, text: str, zone: str, *, ends: bool) -> datetime:
    try:
        return moment(text, zone, ends=ends)
    except ValueError:
        raise UserError(
            f"{option} {text} is no time; write 2026-11-01 or 2026-11-01T02:00 or 2026-11-01T02:00:00+01:00"
        ) from None
