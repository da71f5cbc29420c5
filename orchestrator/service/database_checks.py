"""Owns the doctor's checks of the database and of the work that its rows hold."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from shlex import quote
from typing import Any

from orchestrator.core.pool import WAITS_FOR_SLOT
from orchestrator.core.status import WORKFLOW_FINAL, WorkflowState
from orchestrator.service.backend import Backend
from orchestrator.service.findings import Finding, error, fine, warning
from orchestrator.setting_faults import mask

MOST_RUNS = 200
"""So many unfinished runs are looked through."""

STUCK_FACTOR = 2


def check_database(backend: Backend) -> Iterator[Finding]:
    """Schema (checked on opening) and the distance between the two clocks."""
    url = mask(backend.settings.database)
    before = datetime.now(UTC)
    now = backend.queries.now()
    after = datetime.now(UTC)
    yield fine("database", f"{url}; the schema is up to date")
    skew = max(now - after, before - now, timedelta()).total_seconds()
    limit = backend.settings.lease_seconds / 3
    if skew > limit:
        yield warning(
            "clock",
            f"the database's clock and this machine's are {skew:.1f} s apart",
            "let NTP set both clocks; times on screen mix the two, leases use the database's alone",
        )
    else:
        yield fine("clock", f"{skew:.1f} s apart")


def check_stuck_work(backend: Backend) -> Iterator[Finding]:
    """Attempts that were handed over long ago and never began."""
    limit = timedelta(seconds=STUCK_FACTOR * backend.settings.dispatch_timeout_seconds)
    stuck = [
        (document["id"], task)
        for document in _unfinished(backend)
        for task in document["tasks"]
        if _waits_too_long(task, limit)
    ]
    for number, task in stuck:
        yield error(
            "stuck work",
            f"run {number}, task {task['name']}: {task['state']} for more than {limit.total_seconds():.0f} s",
            f"see the masters and workers above; orchestrator runs explain {number} {quote(task['name'])}",
        )
    if not stuck:
        yield fine("stuck work", "none")


def _unfinished(backend: Backend) -> Iterator[dict[str, Any]]:
    for state in WorkflowState:
        if state not in WORKFLOW_FINAL and state is not WorkflowState.PAUSED:
            for run in backend.queries.runs(state=state, limit=MOST_RUNS):
                yield backend.queries.run(run["id"])


def _waits_too_long(task: Mapping[str, Any], limit: timedelta) -> bool:
    if not task["current"] or task["state"] not in ("SUBMITTED", "DISPATCHED"):
        return False
    if task["state"] == "SUBMITTED" and task["reason"] == WAITS_FOR_SLOT:
        return False  # for as long as others have the slots
    since = _time(task["dispatched_at"] or task["submitted_at"])
    return since is not None and datetime.now(UTC) - since > limit


def _time(value: str | datetime | None) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else value
