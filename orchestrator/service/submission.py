"""Owns the use case "start a workflow": from a name or a file and parameters to a submitted run."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from orchestrator.core.definition import OnFailure, Priority
from orchestrator.errors import UserError
from orchestrator.service.backend import Backend
from orchestrator.service.definitions import deploy
from orchestrator.service.files import check_start_nodes, read_runnable, what_it_is_about
from orchestrator.service.finding import find
from orchestrator.service.parameters import parameters_from_texts, read_pairs
from orchestrator.store.definitions import StoredDefinition
from orchestrator.store.submissions import SubmitRequest

DEPENDS = "downstream"
"""What runs besides the start nodes where nothing else is said."""

OWN_KEYS = ("schedule:", "backfill:")


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitOptions:
    """How a run differs from what its definition says. `None` means "as the definition says".

    Attributes:
        planned_time: What the run is about; without an offset by the clocks of the workflow's zone; `None`: now.
        start_nodes: Begin with these tasks only.
        depends: `only`, `upstream` or `downstream`: what runs besides the start nodes; `None`: downstream.

    Raises:
        UserError: `depends` is given and no start node: there is nothing that it could speak of.
    """

    idempotency_key: str | None = None
    planned_time: datetime | None = None
    priority: Priority | None = None
    worker_group: str | None = None
    on_failure: OnFailure | None = None
    start_nodes: tuple[str, ...] = ()
    depends: str | None = None
    dry_run: bool = False

    def __post_init__(self) -> None:
        """Refuse what would be accepted and ignored."""
        if self.depends is not None and not self.start_nodes:
            raise UserError(
                f"--depends {self.depends}: says what runs besides the start nodes, and there are none;"
                " name them with --start-node TASK"
            )


def submit(
    backend: Backend, stored: StoredDefinition, parameters: Mapping[str, Any], options: SubmitOptions
) -> dict[str, Any]:
    """Insert a run and its START; the master does the rest.

    Args:
        backend: The services.
        stored: The version to run.
        parameters: Checked start parameters.
        options: How this run differs from the definition.

    Raises:
        UserError: A start node is no task of the workflow, or cannot begin without the tasks before it; or the
            idempotency key is one of a schedule's or backfill's; or UTC has no such planned time.
        Conflict: The workflow is offline, or the idempotency key was used for another request.
    """
    _check_key(options.idempotency_key)
    depends = options.depends or DEPENDS
    check_start_nodes(stored.definition, options.start_nodes, depends)
    chosen = {one.name: getattr(options, one.name) for one in fields(options)} | {
        "depends": depends,
        "planned_time": _planned_time(options.planned_time, stored.definition.timezone),
    }
    submitted = backend.submissions.submit(
        SubmitRequest(definition_id=stored.id, params=parameters, **chosen)
    )
    backend.wake(submitted.slot)
    return {"workflow_instance_id": submitted.id, "state": str(submitted.state), "created": submitted.created}


def _planned_time(at: datetime | None, timezone: str) -> datetime | None:
    """Return an aware time: without an offset it is one of the clocks in `timezone`, as in a backfill's range."""
    if at is None:
        return None
    try:
        return (at if at.tzinfo is not None else at.replace(tzinfo=ZoneInfo(timezone))).astimezone(UTC)
    except OverflowError:
        raise UserError(f"planned time {at.isoformat()}: the calendar has no such time in UTC") from None


def _check_key(key: str | None) -> None:
    """Refuse the keys that schedules and backfills give their runs: a planned time must not be taken from them."""
    if key is not None and key.startswith(OWN_KEYS):
        raise UserError(
            f"the idempotency key '{key}' begins like those of schedules and backfills; take another"
        )


def submit_texts(backend: Backend, name: str, texts: Iterable[str], options: SubmitOptions) -> dict[str, Any]:
    """Submit with parameters as `NAME=VALUE` texts, read by their declared types.

    Raises:
        UserError: As `submit`; or a text cannot be read.
    """
    stored = find(backend, name, None)
    parameters = parameters_from_texts(stored.definition, read_pairs(texts))
    return submit(backend, stored, parameters, options)


def deploy_file(backend: Backend, path: Path) -> str:
    """Deploy all workflows of a file; return the name of the one to submit: the one no other calls, else the last.

    Raises:
        DefinitionError: The file has faults.
    """
    found = read_runnable([path])
    deploy(backend, found, online=True, files=[path])
    return (what_it_is_about(found) or found[-1]).name
