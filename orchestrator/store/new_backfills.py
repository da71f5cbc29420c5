"""Owns how new backfills get in: the runs that they are made of, found or inserted, in one transaction."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select

from orchestrator.core.schedule import Fire
from orchestrator.core.status import WORKFLOW_FINAL, WorkflowState
from orchestrator.errors import Conflict
from orchestrator.store.backfill_parts import Part, ids_of, insert_parts, let_go, run, slots_of_runs
from orchestrator.store.clock import database_now
from orchestrator.store.definitions import hold_name
from orchestrator.store.new_runs import SubmitRequest, insert_runs, next_ids, slots_of
from orchestrator.store.schema import backfill, workflow_definition


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillRequest:
    """What is to be filled.

    Attributes:
        definition_id: The version to run.
        fires: One run each, in the order in which they start.
        first: The first planned time of the range.
        last: The last one.
        cron: Where the planned times come from.
        max_parallel: So many at a time; 1: the first failure ends it; `None`: all at once.
        params: Start parameters, typed and checked.
        reruns: Planned times that have a run are run again, if it has ended; else they are skipped.
    """

    definition_id: int
    fires: tuple[Fire, ...]
    first: datetime
    last: datetime
    cron: str
    timezone: str
    max_parallel: int | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    reruns: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfilled:
    """The answer to a request.

    Attributes:
        runs: Ids of the runs, in the order in which they start.
        again: Those of them that were there before, and run again.
        skipped: Planned times that have a run already, and are left alone.
        slots: Whose masters are to be woken.
    """

    id: int
    runs: tuple[int, ...]
    again: tuple[int, ...] = ()
    skipped: tuple[datetime, ...]
    slots: frozenset[int]


def insert_backfill(connection: Connection, request: BackfillRequest) -> Backfilled:
    """Insert a backfill with all its runs, and what lets those begin that may do so at once.

    Raises:
        Conflict: The definition is offline, or gone.
    """
    definition = _online(connection, request.definition_id)
    hold_name(connection, definition["name"])
    there = _last_runs(connection, definition["name"], request)
    again = {at: one for at, one in there.items() if request.reruns and one.state in WORKFLOW_FINAL}
    skipped = tuple(one.planned_time for one in request.fires if one.planned_time in there.keys() - again)
    (number,) = next_ids(connection, backfill, 1)
    made = _make(connection, definition, number, request, there)
    parts = [found for one in request.fires if (found := {**made, **again}.get(one.planned_time))]
    at_once = parts[: request.max_parallel] if request.max_parallel else parts
    _insert(connection, number, definition["name"], request, parts, len(at_once))
    let_go(connection, at_once, request.params)
    return Backfilled(
        id=number,
        runs=ids_of(parts),
        again=tuple(one.number for one in parts if one.rerun_of is not None),
        skipped=skipped,
        slots=slots_of_runs(at_once),
    )


def _online(connection: Connection, definition_id: int) -> RowMapping:
    statement = select(workflow_definition).where(workflow_definition.c.id == definition_id)
    row = connection.execute(statement).mappings().one_or_none()
    if row is None:
        raise Conflict("the workflow definition has just been deleted")
    if not row["online"]:
        raise Conflict(
            f"workflow definition '{row['name']}' is offline;"
            f" first: orchestrator definitions online {row['name']}"
        )
    return row


def _last_runs(connection: Connection, workflow: str, request: BackfillRequest) -> dict[datetime, Part]:
    """Return the last run of this workflow for each planned time of the range that has one."""
    never_ran = (run.state == WorkflowState.STOPPED.value) & run.started_at.is_(None)
    statement = select(run.planned_time, run.id, run.slot, run.state, run.run_count).where(
        run.workflow == workflow,
        run.planned_time.between(request.first, request.last),
        run.parent_id.is_(None),
        ~run.dry_run,
        ~never_ran,
    )
    return {
        row.planned_time: Part(
            planned_time=row.planned_time,
            number=row.id,
            slot=row.slot,
            state=WorkflowState(row.state),
            rerun_of=row.run_count,
            run_count=row.run_count,
        )
        for row in connection.execute(statement.order_by(run.id))
    }


def _make(
    connection: Connection,
    definition: RowMapping,
    number: int,
    request: BackfillRequest,
    there: Collection[datetime],
) -> dict[datetime, Part]:
    """Insert the runs of the planned times that have none."""
    fires = [fire for fire in request.fires if fire.planned_time not in there]
    heads = insert_runs(connection, definition, _requests(number, request, fires)) if fires else []
    return {
        one.planned_time: Part(planned_time=one.planned_time, number=one.id, slot=one.slot) for one in heads
    }


def _requests(number: int, request: BackfillRequest, fires: Sequence[Fire]) -> list[SubmitRequest]:
    return [
        SubmitRequest(
            definition_id=request.definition_id,
            params=request.params,
            planned_time=fire.planned_time,
            interval_start=fire.interval_start,
            idempotency_key=f"backfill:{number}:{fire.planned_time.isoformat()}",
        )
        for fire in fires
    ]


def _insert(
    connection: Connection,
    number: int,
    workflow: str,
    request: BackfillRequest,
    parts: Sequence[Part],
    released: int,
) -> None:
    now = database_now(connection)
    values = {
        "id": number,
        "slot": number % slots_of(connection),
        "workflow": workflow,
        "cron": request.cron,
        "timezone": request.timezone,
        "first_at": request.first,
        "last_at": request.last,
        "max_parallel": request.max_parallel,
        "params": dict(request.params),
        "created_at": now,
        "ended_at": now if released == len(parts) else None,
    }
    connection.execute(insert(backfill).values(values))
    insert_parts(connection, number, parts, released, now)
