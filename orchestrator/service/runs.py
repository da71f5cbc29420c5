"""Owns the use cases of looking at runs: list, show, and wait for their end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.core.status import WORKFLOW_FINAL, WorkflowState
from orchestrator.errors import NotFound
from orchestrator.service.finding import find
from orchestrator.service.records import Records

PAUSE_S = 0.2
"""Nobody is told of a run's end but through its row: this is how often it is read."""

MOST_RUNS = 1000
FINAL = frozenset(str(state) for state in WORKFLOW_FINAL)


def list_runs(
    records: Records, *, state: str | None, workflow: str | None, limit: int
) -> list[dict[str, Any]]:
    """Return runs, the newest first."""
    wanted = WorkflowState(state) if state is not None else None
    return records.queries.runs(state=wanted, workflow=workflow, limit=limit)


def why_no_runs(records: Records, workflow: str) -> str:
    """Return what is to be said where no run of a workflow was found: perhaps there is no such workflow."""
    try:
        find(records, workflow, None)
    except NotFound as error:
        return str(error)
    return "no such run"


def show(records: Records, workflow_instance_id: int) -> dict[str, Any]:
    """Return the document of one run.

    Raises:
        NotFound: There is no such run.
    """
    return records.queries.run(workflow_instance_id)


def going_on(records: Records) -> list[dict[str, Any]]:
    """Return the runs that a master carries on, the oldest first; children go on with their parents."""
    states = [state for state in WorkflowState if state not in {*WORKFLOW_FINAL, WorkflowState.PAUSED}]
    found = [
        run for state in states for run in list_runs(records, state=state, workflow=None, limit=MOST_RUNS)
    ]
    return sorted((run for run in found if run["parent"] is None), key=lambda run: int(run["id"]))


def look(records: Records, workflow_instance_id: int) -> tuple[dict[str, Any], bool]:
    """Return the document of one run, and whether that is its end: not if it was asked to run again.

    Raises:
        NotFound: There is no such run.
    """
    goes_on = records.queries.going_on([workflow_instance_id])
    return show(records, workflow_instance_id), not goes_on


def is_final(document: dict[str, Any]) -> bool:
    """Return whether the run has ended."""
    return document["state"] in FINAL


def has_succeeded(document: dict[str, Any]) -> bool:
    """Return whether the run ended SUCCESS."""
    return bool(document["state"] == WorkflowState.SUCCESS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clockwork:
    """How time passes.

    Attributes:
        clock: Monotonic seconds.
        pause: Waits so many seconds.
    """

    clock: Callable[[], float]
    pause: Callable[[float], object]


def wait(
    records: Records, ids: Sequence[int], timeout_s: float | None, time: Clockwork
) -> list[dict[str, Any]]:
    """Return the documents in the order of `ids` when all runs have ended or the time is over.

    Args:
        records: What is stored.
        ids: The runs; one that was just asked to recover has not ended.
        timeout_s: Seconds to wait at most; `None`: for ever.
        time: How time passes.

    Raises:
        NotFound: There is no such run.
    """
    deadline = None if timeout_s is None else time.clock() + timeout_s
    for one in ids:
        show(records, one)
    while records.queries.going_on(ids):
        left = PAUSE_S if deadline is None else min(PAUSE_S, deadline - time.clock())
        if left <= 0:
            break
        time.pause(left)
    return [show(records, one) for one in ids]
