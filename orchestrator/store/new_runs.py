"""Owns how new runs come into the database: their ids, their rows and their STARTs, in somebody's transaction."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, insert, select, text
from sqlalchemy.dialects import postgresql, sqlite

from orchestrator.core.command import CommandKind
from orchestrator.core.definition import OnFailure, Priority, WorkflowDefinition, from_document
from orchestrator.core.instance import Head
from orchestrator.core.status import WorkflowState
from orchestrator.store.clock import database_now
from orchestrator.store.rows import head_values
from orchestrator.store.schema import command, deployment, workflow_instance
from orchestrator.store.session import is_postgres

ROWS_AT_ONCE = 500

SLOTS = select(deployment.c.slots)
SEND = insert(command)

POSTGRES_IDS = text("SELECT nextval(pg_get_serial_sequence(:name, 'id')) FROM generate_series(1, :count)")
SQLITE_LAST_ID = text("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = :name")


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitRequest:
    """What is to be run, and how. `None` means "as the definition says".

    Attributes:
        definition_id: Row of the version to run (`Deployed.id`, `StoredDefinition.id`).
        params: Start parameters, already typed and checked.
        start_nodes: Tasks to start from; empty: the roots.
        depends: Which tasks around the start nodes run: `only`, `upstream` or `downstream`.
        planned_time: The time the run is about, aware; default: now, by the database's clock.
        interval_start: The fire time before the planned one, aware.
        idempotency_key: The same key with the same request gives the same run, however often it is sent.
        parent_id: The instance whose task `parent_task` this is.
    """

    definition_id: int
    params: Mapping[str, Any] = field(default_factory=dict)
    priority: Priority | None = None
    worker_group: str | None = None
    on_failure: OnFailure | None = None
    start_nodes: tuple[str, ...] = ()
    depends: str = "downstream"
    dry_run: bool = False
    planned_time: datetime | None = None
    interval_start: datetime | None = None
    idempotency_key: str | None = None
    parent_id: int | None = None
    parent_task: str | None = None


def request_hash(request: SubmitRequest, workflow: str) -> str:
    """Return what makes two requests the same: all that was asked for, but not the version it met."""
    asked = asdict(request)
    del asked["definition_id"], asked["idempotency_key"], asked["interval_start"]
    canonical = json.dumps({**asked, "workflow": workflow}, sort_keys=True, default=_plain)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def insert_runs(
    connection: Connection, definition: RowMapping, requests: Sequence[SubmitRequest]
) -> list[Head]:
    """Insert a run for each request and return them, without those whose key exists.

    Args:
        connection: In a writing transaction.
        definition: The row of the version to run.
        requests: All for that version.
    """
    document = from_document(definition["document"])
    now, slots = database_now(connection), slots_of(connection)
    numbers = next_ids(connection, workflow_instance, len(requests))
    heads = [
        _head(number, number % slots, request, definition, document, now)
        for number, request in zip(numbers, requests, strict=True)
    ]
    rows: list[dict[str, Any]] = [
        {
            **head_values(head),
            "revision": 0,
            "epoch": 0,
            "idempotency_key": request.idempotency_key,
            "request_hash": request_hash(request, head.workflow) if request.idempotency_key else None,
        }
        for head, request in zip(heads, requests, strict=True)
    ]
    inserted = _insert(connection, rows)
    return [head for head in heads if head.id in inserted]


def send_starts(connection: Connection, heads: Sequence[Head]) -> None:
    """Leave a START for each run, in the connection's transaction."""
    send_commands(connection, [(head.id, head.slot) for head in heads], CommandKind.START)


def send_commands(
    connection: Connection,
    runs: Sequence[tuple[int, int]],
    kind: CommandKind,
    bodies: Sequence[Mapping[str, Any]] | None = None,
) -> None:
    """Leave a command for each run, given as id and slot, in the connection's transaction.

    Args:
        connection: In a writing transaction.
        runs: Id and slot of each.
        kind: What is asked.
        bodies: What is said to each; by default nothing.
    """
    now = database_now(connection)
    rows: list[dict[str, Any]] = [
        {"slot": slot, "workflow_instance_id": number, "kind": kind.value, "body": body, "created_at": now}
        for (number, slot), body in zip(runs, bodies or [{} for _ in runs], strict=True)
    ]
    if rows:
        connection.execute(SEND, rows)


def slots_of(connection: Connection) -> int:
    """Return the number of slots of this database."""
    return int(connection.execute(SLOTS).scalar_one())


def next_ids(connection: Connection, table: Table, count: int) -> list[int]:
    """Return the ids of the next rows of a table whose slot follows from its id and stands in the same row."""
    if is_postgres(connection):
        return sorted(connection.execute(POSTGRES_IDS, {"name": table.name, "count": count}).scalars())
    # nobody else writes in between: the transaction is an immediate one
    last = int(connection.execute(SQLITE_LAST_ID, {"name": table.name}).scalar_one())
    return list(range(last + 1, last + 1 + count))


def _head(
    number: int,
    slot: int,
    request: SubmitRequest,
    row: RowMapping,
    definition: WorkflowDefinition,
    now: datetime,
) -> Head:
    return Head(
        id=number,
        slot=slot,
        definition_id=row["id"],
        workflow=row["name"],
        version=row["version"],
        state=WorkflowState.SUBMITTED,
        dry_run=request.dry_run,
        priority=request.priority or definition.priority,
        worker_group=request.worker_group or definition.worker_group,
        on_failure=request.on_failure or definition.on_failure,
        params=dict(request.params),
        start_nodes=request.start_nodes,
        depends=request.depends,
        planned_time=request.planned_time or now,
        interval_start=request.interval_start,
        submitted_at=now,
        parent_id=request.parent_id,
        parent_task=request.parent_task,
    )


def _insert(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> set[int]:
    """Return the ids of the rows that were inserted: all but those whose key exists meanwhile."""
    dialect = postgresql if is_postgres(connection) else sqlite
    statement = dialect.insert(workflow_instance).on_conflict_do_nothing(index_elements=["idempotency_key"])
    inserted: set[int] = set()
    for start in range(0, len(rows), ROWS_AT_ONCE):
        some = rows[start : start + ROWS_AT_ONCE]
        inserted.update(connection.execute(statement.returning(workflow_instance.c.id), some).scalars())
    return inserted
