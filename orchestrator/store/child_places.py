"""Owns how the runs stand that other runs have started, for people who ask why these do not go on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, select

from orchestrator.core.status import WorkflowState
from orchestrator.store.among import among
from orchestrator.store.bulk import KEYS_AT_ONCE, chunks
from orchestrator.store.schema import workflow_instance
from orchestrator.store.session import reading

run = workflow_instance.c
PLACES = select(run.id, run.workflow, run.state, run.paused_at).where(among(run.id, "ids"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildPlace:
    """How one run stands that a task of another one waits for.

    Attributes:
        paused_at: Since when it is pausing or paused.
    """

    id: int
    workflow: str
    state: WorkflowState
    paused_at: datetime | None = None


def read_children(engine: Engine, ids: Sequence[int]) -> dict[int, ChildPlace]:
    """Return how these runs stand, without those that do not exist.

    Raises:
        StoreUnavailable: The database is away.
    """
    if not ids:
        return {}
    with reading(engine) as connection:
        rows = [
            row for some in chunks(ids, KEYS_AT_ONCE) for row in connection.execute(PLACES, {"ids": some})
        ]
    return {
        row.id: ChildPlace(
            id=row.id, workflow=row.workflow, state=WorkflowState(row.state), paused_at=row.paused_at
        )
        for row in rows
    }
