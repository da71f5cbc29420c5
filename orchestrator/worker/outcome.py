"""Owns the events that end a hand-over: what an attempt's end, or its child's death, says to the master."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from orchestrator.core.deferral import Defer
from orchestrator.core.event import CHILD_DIED, TaskDelayed, TaskResult, TaskRunning, WorkerReject
from orchestrator.core.order import Order
from orchestrator.core.status import TaskState
from orchestrator.worker.executors.port import Finished, TaskFailure
from orchestrator.worker.gate import Rejected
from orchestrator.worker.ports import Identity

TIMEOUT = "timeout"
STOP = "stop"
STALE = "stale"
PARTITION = "partition"
REVOKED = "revoked"


def utc_now() -> datetime:
    """Return what this machine's clock shows, aware UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an attempt ended; the fields of `TaskResult` that only the end knows."""

    state: TaskState
    outputs: Mapping[str, Any] = field(default_factory=dict)
    exit_code: int | None = None
    reason: str | None = None
    error: str | None = None
    external_ids: Mapping[str, str] = field(default_factory=dict)


def succeeded(finished: Finished) -> Outcome:
    """Return the outcome of work that came to its end."""
    return Outcome(
        state=TaskState.SUCCESS,
        outputs=finished.outputs,
        exit_code=finished.exit_code,
        external_ids=finished.external_ids,
    )


def failed(failure: TaskFailure) -> Outcome:
    """Return the outcome of work that failed."""
    return Outcome(
        state=TaskState.FAILURE,
        reason=failure.reason,
        error=failure.error,
        exit_code=failure.exit_code,
    )


def child_died(status: str) -> Outcome:
    """Return the outcome of an attempt whose process died under it: a loss, which the master counts.

    Args:
        status: How it died: a signal's name, or `exit code N`.
    """
    return Outcome(state=TaskState.FAILURE, reason=f"worker child died: {status}", error=CHILD_DIED)


def ended_by(ending: str, exit_code: int | None = None) -> Outcome:
    """Return the outcome of an attempt that this worker ended, whatever the attempt itself made of it."""
    if ending == TIMEOUT:
        return Outcome(state=TaskState.FAILURE, reason="timeout", error="timeout", exit_code=exit_code)
    if ending == PARTITION:
        return Outcome(state=TaskState.FAILURE, reason="worker was cut off from Redis", error=CHILD_DIED)
    reason = {STOP: "stopped", REVOKED: "revoked"}.get(ending, "the hand-over was over")
    return Outcome(state=TaskState.KILLED, reason=reason, error="killed", exit_code=exit_code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an attempt runs; RUNNING and RESULT carry it."""

    pid: int
    process_group: int | None
    log_path: str | None
    started_at: datetime | None = None


class Speaker:
    """Writes the events of one worker.

    Args:
        identity: Who speaks.
        clock: What this machine's clock shows, aware UTC.
    """

    def __init__(self, identity: Identity, clock: Callable[[], datetime] = utc_now) -> None:
        self._identity = identity
        self._clock = clock

    def running(self, order: Order, place: Place) -> TaskRunning:
        """Return RUNNING: the attempt starts."""
        return TaskRunning(
            **self._token(order),
            host=self._identity.host,
            pid=place.pid,
            process_group=place.process_group,
            log_path=place.log_path,
            dispatched_at=order.dispatched_at,
        )

    def result(self, order: Order, place: Place, outcome: Outcome) -> TaskResult:
        """Return RESULT: the attempt ended."""
        return TaskResult(
            **self._token(order),
            state=outcome.state,
            outputs=outcome.outputs,
            exit_code=outcome.exit_code,
            reason=outcome.reason,
            error=outcome.error,
            external_ids=outcome.external_ids,
            host=self._identity.host,
            pid=place.pid,
            process_group=place.process_group,
            log_path=place.log_path,
            started_at=place.started_at,
            dispatched_at=order.dispatched_at,
        )

    def delayed(self, order: Order, defer: Defer) -> TaskDelayed:
        """Return DELAY: the attempt asks to be called again later."""
        return TaskDelayed(**self._token(order), seconds=defer.seconds, external_ids=defer.external_ids)

    def unbegun(self, order: Order) -> TaskDelayed:
        """Return DELAY for a hand-over that nothing came of: it is dispatched again at once."""
        return TaskDelayed(**self._token(order), seconds=0.0, began=False)

    def rejected(self, order: Order, rejected: Rejected) -> WorkerReject:
        """Return WORKER_REJECT: this worker does not start the attempt."""
        return WorkerReject(**self._token(order), reason=rejected.reason, detail=rejected.detail)

    def _token(self, order: Order) -> dict[str, Any]:
        return {
            "workflow_instance_id": order.workflow_instance_id,
            "task": order.task,
            "attempt": order.attempt,
            "dispatch": order.dispatch,
            "ticket": order.ticket,
            "worker": self._identity.name,
            "incarnation": self._identity.incarnation,
            "at": self._clock(),
        }
