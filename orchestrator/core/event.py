"""Owns the events: facts that workers (and the dispatcher) report about one hand-over of one attempt."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from orchestrator.core.status import TaskState


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEvent:
    """What every event carries: the token, who speaks, and when by the speaker's own clock.

    Attributes:
        ticket: The random secret of this dispatch; an event without it is forged.
        worker: The worker's name (`celery@host`); empty for the dispatcher.
        incarnation: Random id of the start of the worker's main process; empty for the dispatcher.
        at: The speaker's clock, aware UTC; it is kept for people and decides nothing.
    """

    workflow_instance_id: int
    task: str
    attempt: int
    dispatch: int
    ticket: str
    worker: str = ""
    incarnation: str = ""
    at: datetime | None = None

    @property
    def token(self) -> tuple[int, int]:
        """Attempt and dispatch: compared before any state is."""
        return (self.attempt, self.dispatch)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDispatched(TaskEvent):
    """DISPATCH: the dispatcher handed the attempt to the broker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDelayed(TaskEvent):
    """DELAY: the task asks to be called again later (a deferral); its hand-over ends.

    Attributes:
        seconds: How long to wait before the next dispatch of the same attempt.
        external_ids: What the next dispatch's order shall say again; empty: what stood there before.
        began: Whether this hand-over was begun. If not, nobody answered the worker's claim, and a RUNNING that the
            claim has left is void.
    """

    seconds: float
    external_ids: Mapping[str, str] = field(default_factory=dict)
    began: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRunning(TaskEvent):
    """RUNNING: a worker claimed the hand-over and starts it.

    Attributes:
        dispatched_at: When the master ordered it, in database time, as the order says; it may overtake DISPATCH.
    """

    host: str = ""
    pid: int | None = None
    process_group: int | None = None
    log_path: str | None = None
    external_ids: Mapping[str, str] = field(default_factory=dict)
    dispatched_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskResult(TaskEvent):
    """RESULT: the attempt ended on its worker.

    Attributes:
        state: SUCCESS, FAILURE or KILLED.
        outputs: The task's outputs (SUCCESS only; at most 64 KiB as JSON).
        exit_code: Exit code of the process, where there was one.
        reason: Why it failed or was killed, in one line (`timeout`, `exit code 3`, `ValueError: …`).
        error: Name of the exception, or the exit code as text: what `non_retryable` is compared with.
        dispatched_at: As in RUNNING, which may have been overtaken, too.
    """

    state: TaskState
    outputs: Mapping[str, Any] = field(default_factory=dict)
    exit_code: int | None = None
    reason: str | None = None
    error: str | None = None
    host: str = ""
    pid: int | None = None
    process_group: int | None = None
    log_path: str | None = None
    external_ids: Mapping[str, str] = field(default_factory=dict)
    started_at: datetime | None = None
    dispatched_at: datetime | None = None


class RejectReason(StrEnum):
    """Why a worker gave a hand-over back without starting it."""

    DRAINING = "draining"
    OVERLOAD = "overload"
    UNKNOWN_TYPE = "unknown_type"
    UNKNOWN_CALLABLE = "unknown_callable"
    UNKNOWN_BUNDLE = "unknown_bundle"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerReject(TaskEvent):
    """WORKER_REJECT: the worker did not start the attempt and never will.

    Attributes:
        detail: For unknown types and callables, the import error.
    """

    reason: RejectReason
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOnline:
    """ONLINE: written behind everything a predecessor left; earlier incarnations of `worker` are gone."""

    worker: str
    incarnation: str


CHILD_DIED = "ChildDied"
"""`TaskResult.error` when the process of the attempt died under it: a loss, not a failure."""

WorkerEvent = TaskDelayed | TaskRunning | TaskResult | WorkerReject | WorkerOnline
