"""Owns what must hold of schedules: each can fire, none stands twice, a run needs nobody's answers."""

from collections.abc import Iterator, Mapping
from datetime import datetime
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
        yield from _one(written, definition, index, first)
    for name, declared in definition.params.items():
        if definition.schedules and declared.required:
            yield Fault(
                message=f"'{name}' is required, and a schedule gives no parameters; give it a default",
                field=f"params.{name}",
            )


def _one(
    written: Mapping[str, Any], definition: WorkflowDefinition, index: int, first: dict[tuple[str, str], int]
) -> Iterator[Fault]:
    """Yield what is wrong with one schedule; one whose `cron` is at fault has none here."""
    zone = written.get("timezone") or definition.timezone
    cron = written.get("cron")
    if cron is not None:
        same = first.setdefault((" ".join(cron.upper().split()), zone), index)
        if same != index:
            yield _fault(
                f"schedules[{same}] has the same cron and time zone: every run would be started twice", index
            )
    try:
        begins, ends = _window(written, zone)
    except ValueError as error:
        yield _fault(str(error), index)
        return
    if cron is not None and not _ever_fires(
        Schedule(cron=cron, timezone=zone, starts_at=begins, ends_at=ends)
    ):
        yield _fault(f"'{cron}' never fires between its start and its end", index)


def _window(written: Mapping[str, Any], zone: str) -> tuple[datetime | None, datetime | None]:
    start, end = written.get("start"), written.get("end")
    begins = moment(start, zone) if start else None
    ends = moment(end, zone, ends=True) if end else None
    if begins is not None and ends is not None and ends < begins:
        raise ValueError("its end lies before its start")
    return begins, ends


def _ever_fires(schedule: Schedule) -> bool:
    return next(upcoming(schedule, LONG_AGO, CronTimes()), None) is not None


def _fault(message: str, index: int | None = None) -> Fault:
    return Fault(message=message, field="schedules" if index is None else f"schedules[{index}]")
