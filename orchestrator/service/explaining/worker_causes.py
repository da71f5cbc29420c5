"""Owns what the worker has to do with it that an attempt is with: it runs it, is silent, or is gone."""

from shlex import quote

from orchestrator.core.instance import TaskInstance
from orchestrator.service.explaining.causes import Cause, Kind
from orchestrator.service.explaining.facts import Facts, Worker

REPLACED = "a master gives the task a new attempt"


def with_its_worker(facts: Facts, attempt: TaskInstance) -> Cause:
    """Return who has an attempt, and whether that worker is still heard of."""
    name = attempt.worker or "a worker"
    if facts.fleet is None:
        return _running(facts, attempt, f"{name}; whether that worker lives is unknown without Redis")
    worker = facts.fleet.worker(name)
    if worker is None:
        return _lost(attempt, f"{name}, which ran it, has left; {REPLACED}")
    if worker.incarnation != attempt.incarnation:
        return _lost(attempt, f"{name}, which ran it, has been started anew since; {REPLACED}", worker)
    if worker.is_lost:
        return _lost(attempt, f"{name}, which runs it, is silent; {REPLACED}", worker)
    ago = max((facts.evidence.now - worker.seen).total_seconds(), 0.0)
    return _running(facts, attempt, f"{name}, last heard of {ago:.0f} s ago")


def _running(facts: Facts, attempt: TaskInstance, where: str) -> Cause:
    limit = ", at most" if attempt.timeout_at else ""
    return Cause(
        kind=Kind.RUNNING,
        task=attempt.task,
        detail=f"runs on {where}{limit}",
        since=attempt.started_at or attempt.dispatched_at,
        until=attempt.timeout_at,
        remedy=f"orchestrator runs logs {facts.number} {quote(attempt.task)} --follow",
    )


def _lost(attempt: TaskInstance, detail: str, worker: Worker | None = None) -> Cause:
    return Cause(
        kind=Kind.WORKER_LOST,
        task=attempt.task,
        detail=detail,
        since=worker.seen if worker is not None and worker.is_lost else None,
        remedy=f"start {attempt.worker} again, or another worker of its group",
    )
