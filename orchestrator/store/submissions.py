"""Owns submissions: a new workflow instance and its START, in one transaction, once per idempotency key."""

from dataclasses import dataclass

from sqlalchemy import Connection, Engine, RowMapping, select

from orchestrator.core.status import WorkflowState
from orchestrator.errors import Conflict, NotFound
from orchestrator.store.new_runs import SubmitRequest, insert_runs, request_hash, send_starts
from orchestrator.store.schema import workflow_definition, workflow_instance
from orchestrator.store.session import writing
from orchestrator.store.storable import check_storable

__all__ = ["Submissions", "SubmitRequest", "Submitted", "request_hash"]


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
                raise Conflict(
                    f"workflow definition '{row['name']}' is offline;"
                    f" first: orchestrator definitions online {row['name']}"
                )
            heads = insert_runs(connection, row, [request])
            if not heads:
                return _won_by_another(connection, request, row["name"], fingerprint)
            send_starts(connection, heads)
            (head,) = heads
        return Submitted(id=head.id, slot=head.slot, state=head.state, created=True)


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
