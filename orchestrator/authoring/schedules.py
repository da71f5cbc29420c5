"""Owns what must hold of schedules: each can fire, none stands twice, a run needs nobody's answers."""

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.authoring.cron import CronTimes
from orchestrator.core.definition import WorkflowDefinition
from orchestrator.core.schedule import Schedule, moment, upcoming
from orchestrator.errors import Fault

MOST_SCHEDULES = 100
LONG_AGO = moment("2000-01-01", "UTC")


def schedule_faults(definition: WorkflowDefinition) -> Iterator[Fault]:
    """Yield a fault for each schedule that can never fire, or stands twice, and for what no schedule can give."""
    if len(definition.schedules) > MOST_SCHEDULES:
        yield _fault(
            f"a workflow has at most {MOST_SCHEDULES} schedules, this one {len(definition.schedules)}"
        )
        return
    first: dict[tuple[str, str], int] = {}
    for index, written in enumerate(definition.schedules):
        zone = written.get("timezone") or definition.timezone
        try:
            schedule = _window(written, zone)
        except ValueError as error:
            yield _fault(str(error), index)
            continue
        same = first.setdefault((" ".join(schedule.cron.upper().split()), zone), index)
        if same != index:
            yield _fault(
                f"schedules[{same}] has the same cron and time zone: every run would be started twice", index
            )
        elif not _ever_fires(schedule):
            yield _fault(f"'{schedule.cron}' never fires between its start and its end", index)
    for name, declared in definition.params.items():
        if definition.schedules and declared.required:
            yield Fault(
                message=f"'{name}' is required, and a schedule gives no parameters; give it a default",
                field=f"params.{name}",
            )


def _window(written: Mapping[str, Any], zone: str) -> Schedule:
    start, end = written.get("start"), written.get("end")
    starts_at = moment(start, zone) if start else None
    ends_at = moment(end, zone, ends=True) if end else None
    if starts_at is not None and ends_at is not None and ends_at < starts_at:
        raise ValueError("its end lies before its start")
    return Schedule(cron=written["cron"], timezone=zone, starts_at=starts_at, ends_at=ends_at)


def _ever_fires(schedule: Schedule) -> bool:
    return next(upcoming(schedule, LONG_AGO, CronTimes()), None) is not None


def _fault(message: str, index: int | None = None) -> Fault:
    return Fault(message=message, field="schedules" if index is None else f"schedules[{index}]")
