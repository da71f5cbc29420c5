"""Owns submissions: a new workflow instance and its START, in one transaction, once per idempotency key."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, insert, select, text
from sqlalchemy.dialects import postgresql, sqlite

from orchestrator.core.command import CommandKind
from orchestrator.core.definition import OnFailure, Priority, WorkflowDefinition, from_document
from orchestrator.core.instance import Head
from orchestrator.core.status import WorkflowState
from orchestrator.errors import Conflict, NotFound
from orchestrator.store.clock import database_now
from orchestrator.store.rows import head_values
from orchestrator.store.schema import command, deployment, workflow_definition, workflow_instance
from orchestrator.store.session import is_postgres, writing
from orchestrator.store.storable import check_storable


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitRequest:
    """What is to be run, and how. `None` means "as the definition says".

    Attributes:
        definition_id: Row of the version to run (`Deployed.id`, `StoredDefinition.id`).
        params: Start parameters, already typed and checked.
        start_nodes: Tasks to start from; empty: the roots.
        depends: Which tasks around the start nodes run: `only`, `upstream` or `downstream`.
        planned_time: The time the run is about, aware; default: now, by the database's clock.
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
    idempotency_key: str | None = None
    parent_id: int | None = None
    parent_task: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """The answer to a submission.

    Attributes:
        state: The run's state at the moment; SUBMITTED for a new one.
        slot: The slot whose master is to be woken.
        created: Whether this request made the run; a repeat under the same key did not.
    """

    id: int
    slot: int
    state: WorkflowState
    created: bool


class Submissions:
    """Takes requests to run a workflow.

    Args:
        engine: Of any role.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def submit(self, request: SubmitRequest) -> Submitted:
        """Insert the run and its START; what was asked for under the same key before is only answered again.

        Raises:
            NotFound: There is no such definition.
            Conflict: The definition is offline, or the key was used for another request.
            UserError: A text in the parameters cannot be stored.
            StoreUnavailable: The database is away; there is no run.
            CommitInDoubt: There may be a run; under an idempotency key the request can be repeated.
        """
        check_storable(request.params, "start parameters")
        check_storable(request.idempotency_key, "idempotency key")
        with writing(self._engine) as connection:
            row = _definition(connection, request.definition_id)
            fingerprint = request_hash(request, row["name"])
            earlier = _earlier(connection, request, row["name"], fingerprint)
            if earlier is not None:
                return earlier
            if not row["online"]:
                raise Conflict(f"workflow definition '{row['name']}' is offline; put it online first")
            head = _head(connection, request, row)
            if not _insert(connection, head, request.idempotency_key, fingerprint):
                return _won_by_another(connection, request, row["name"], fingerprint)
            _insert_start(connection, head)
        return Submitted(id=head.id, slot=head.slot, state=head.state, created=True)


def request_hash(request: SubmitRequest, workflow: str) -> str:
    """Return what makes two requests the same: all that was asked for, but not the version it met."""
    asked = asdict(request)
    del asked["definition_id"], asked["idempotency_key"]
    canonical = json.dumps({**asked, "workflow": workflow}, sort_keys=True, default=_plain)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _definition(connection: Connection, definition_id: int) -> RowMapping:
    statement = select(workflow_definition).where(workflow_definition.c.id == definition_id)
    row = connection.execute(statement).mappings().one_or_none()
    if row is None:
        raise NotFound(f"there is no workflow definition with the id {definition_id}")
    return row


def _earlier(
    connection: Connection, request: SubmitRequest, workflow: str, fingerprint: str
) -> Submitted | None:
    if request.idempotency_key is None:
        return None
    columns = workflow_instance.c
    statement = select(columns.id, columns.workflow, columns.slot, columns.state, columns.request_hash)
    found = connection.execute(
        statement.where(columns.idempotency_key == request.idempotency_key)
    ).one_or_none()
    if found is None:
        return None
    if found.workflow != workflow:
        raise Conflict(
            f"the idempotency key '{request.idempotency_key}' belongs to run {found.id} of workflow"
            f" '{found.workflow}'; give this run of '{workflow}' another one"
        )
    if found.request_hash != fingerprint:
        raise Conflict(
            f"the idempotency key '{request.idempotency_key}' belongs to run {found.id}, which was asked for"
            " with other parameters or options; ask as before, or give this run another key"
        )
    return Submitted(id=found.id, slot=found.slot, state=WorkflowState(found.state), created=False)


def _won_by_another(
    connection: Connection, request: SubmitRequest, workflow: str, fingerprint: str
) -> Submitted:
    """Return the run of the request that held the same key in a transaction at the same time."""
    earlier = _earlier(connection, request, workflow, fingerprint)
    if earlier is None:
        raise Conflict(f"a run under the idempotency key '{request.idempotency_key}' has just been deleted")
    return earlier


def _head(connection: Connection, request: SubmitRequest, row: RowMapping) -> Head:
    definition: WorkflowDefinition = from_document(row["document"])
    number = _next_id(connection)
    now = database_now(connection)
    return Head(
        id=number,
        slot=number % connection.execute(select(deployment.c.slots)).scalar_one(),
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
        submitted_at=now,
        parent_id=request.parent_id,
        parent_task=request.parent_task,
    )


def _next_id(connection: Connection) -> int:
    """Return the id of the next instance: the slot follows from it and stands in the same row."""
    if is_postgres(connection):
        statement = text("SELECT nextval(pg_get_serial_sequence('workflow_instance', 'id'))")
    else:  # nobody else writes in between: the transaction is an immediate one
        statement = text(
            "SELECT coalesce(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'workflow_instance'"
        )
    return int(connection.execute(statement).scalar_one())


def _insert(connection: Connection, head: Head, key: str | None, fingerprint: str) -> bool:
    """Return whether the row was inserted; it is not if the key exists meanwhile."""
    dialect = postgresql if is_postgres(connection) else sqlite
    values = {**head_values(head), "revision": 0, "epoch": 0, "idempotency_key": key}
    inserted = connection.execute(
        dialect.insert(workflow_instance)
        .values(**values, request_hash=fingerprint if key is not None else None)
        .on_conflict_do_nothing(index_elements=["idempotency_key"])
        .returning(workflow_instance.c.id)
    )
    return inserted.one_or_none() is not None


def _insert_start(connection: Connection, head: Head) -> None:
    connection.execute(
        insert(command).values(
            slot=head.slot,
            workflow_instance_id=head.id,
            kind=CommandKind.START.value,
            body={},
            created_at=head.submitted_at,
        )
    )
