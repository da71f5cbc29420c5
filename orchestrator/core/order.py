"""Owns the order: all that a worker needs to run one hand-over of one attempt."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

EXECUTOR_GROUP = "orchestrator.executors"
"""Entry point group of packages that add task types: the name of an entry point is the type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One hand-over, resolved and complete: the worker asks nobody else.

    Attributes:
        ticket: Random secret of this dispatch; every event about it must show it.
        type: Task type, the name of an executor.
        spec: The type's own fields as written in the definition (`run`, `call`, `script`, `shell`, `cwd`).
        params: The task's own `params`, resolved: what a python callable gets as keyword arguments.
        parameters: Everything visible by name (params, upstream outputs, start and workflow parameters,
            built-ins): what a shell gets as environment variables.
        outputs: Declared outputs, name to type name, which the worker checks.
        timeout_s: Seconds from the first RUNNING of the attempt, what is left of it for this dispatch.
        on_timeout: `fail` (the worker ends the task) or `warn` (the master alerts, the task goes on).
        queue: The Celery queue: the worker group, or one worker's own queue.
        priority: 0 (first) to 24: workflow rank times five plus task rank.
        idempotency_key: The same for all attempts of one `run_count`.
        bundle: Name of the files that the worker must have and runs the task in.
        external_ids: What an earlier hand-over of the same attempt noted when it deferred.
        dispatched_at: When the master made it, in database time; RUNNING and RESULT say it again.
    """

    workflow_instance_id: int
    workflow: str
    task: str
    attempt: int
    dispatch: int
    ticket: str
    type: str
    spec: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float | None = None
    on_timeout: str = "fail"
    queue: str = "default"
    priority: int = 12
    run_count: int = 1
    idempotency_key: str = ""
    source_dir: str | None = None
    bundle: str | None = None
    external_ids: Mapping[str, str] = field(default_factory=dict)
    dispatched_at: datetime | None = None

    @property
    def id(self) -> str:
        """`instance:task:attempt:dispatch`, the id of the Celery message."""
        return f"{self.workflow_instance_id}:{self.task}:{self.attempt}:{self.dispatch}"
