"""Owns the rows of schedules: what a deployment makes of those that a workflow's definition names."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from orchestrator.core.definition import WorkflowDefinition
from orchestrator.core.schedule import Schedule, schedules_of
from orchestrator.store.clock import database_now
from orchestrator.store.new_runs import next_ids, slots_of
from orchestrator.store.schema import schedule

SAID = ("cron", "timezone", "misfire", "grace_s", "starts_at", "ends_at")
"""What a definition says of a schedule."""

columns = schedule.c


def keep(connection: Connection, definition: WorkflowDefinition, *, was_online: bool) -> None:
    """Make the rows of a workflow what its definition says; it has just gone, or stays, online.

    A schedule that is still there keeps its id, and with it whether it is paused. What was planned while the
    workflow was offline is not made up for.
    """
    now = database_now(connection)
    rows = connection.execute(select(schedule).where(columns.workflow == definition.name)).mappings().all()
    found = _match(rows, schedules_of(definition))
    gone = {row["id"] for row in rows} - {row["id"] for _, row in found if row is not None}
    if gone:
        connection.execute(delete(schedule).where(columns.id.in_(sorted(gone))))
    for said, row in found:
        if row is None:
            _insert(connection, definition.name, said, now)
        else:
            _renew(connection, row, said, now, was_online=was_online)


def stop(connection: Connection, workflow: str) -> None:
    """Let the schedules of a workflow rest: it has gone offline."""
    connection.execute(update(schedule).where(columns.workflow == workflow).values(next_at=None))


def delete_all(connection: Connection, workflow: str) -> None:
    """Delete the schedules of a workflow: it is deleted, too."""
    connection.execute(delete(schedule).where(columns.workflow == workflow))


def _match(rows: Sequence[RowMapping], said: Iterable[Schedule]) -> list[tuple[Schedule, RowMapping | None]]:
    """Return each schedule of the definition with its row: the same one, else one of the same cron and zone."""
    left = {row["id"]: row for row in rows}
    found: list[tuple[Schedule, RowMapping | None]] = [(one, None) for one in said]
    for names in (SAID, SAID[:2]):
        for place, (one, row) in enumerate(found):
            if row is not None:
                continue
            same = [other for other in left.values() if _differ_not(other, one, names)]
            if same:
                found[place] = (one, left.pop(same[0]["id"]))
    return found


def _differ_not(row: RowMapping, said: Schedule, names: Iterable[str]) -> bool:
    return all(row[name] == getattr(said, name) for name in names)


def _insert(connection: Connection, workflow: str, said: Schedule, now: datetime) -> None:
    (number,) = next_ids(connection, schedule, 1)
    connection.execute(
        insert(schedule).values(
            id=number,
            slot=number % slots_of(connection),
            workflow=workflow,
            paused=False,
            active_since=now,
            handled_until=now,
            next_at=now,  # a master looks, and says when it fires first
            **_said(said),
        )
    )


def _renew(
    connection: Connection, row: RowMapping, said: Schedule, now: datetime, *, was_online: bool
) -> None:
    """Leave an unchanged schedule alone; one that changed, or rested, begins anew with what is not due yet."""
    if was_online and row["next_at"] is not None and _differ_not(row, said, SAID):
        return
    values: dict[str, Any] = {**_said(said), "next_at": now}
    was_due = was_online and row["next_at"] is not None and row["next_at"] <= now
    if not was_due:
        values.update(active_since=now, handled_until=now)
    connection.execute(update(schedule).where(columns.id == row["id"]).values(values))


def _said(said: Schedule) -> dict[str, Any]:
    values = {name: getattr(said, name) for name in SAID}
    return {**values, "misfire": said.misfire.value}
