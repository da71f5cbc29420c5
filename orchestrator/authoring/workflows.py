"""Owns the language of one workflow around its tasks: parameters, schedules, alerts, strategies."""

from typing import Any, Literal

from pydantic import Field, model_validator

from orchestrator.authoring.fields import (
    Cron,
    Duration,
    LongDuration,
    Moment,
    Name,
    ParameterName,
    PriorityName,
    Strict,
    Text,
    TypeName,
    Zone,
)
from orchestrator.core import alerting

EventName = Literal[
    "workflow_success", "workflow_failure", "workflow_timeout",
    "task_failure", "task_timeout", "task_lost", "queue_timeout", "check_failed", "no_worker", "parked", "buried",
]  # fmt: skip
"""`core.alerting.EVENTS`, which a type cannot be made of."""


class Schedule(Strict):
    """When the workflow runs by itself."""

    cron: Cron
    timezone: Zone | None = Field(None, description="Default: the workflow's.")
    start: Moment | None = None
    end: Moment | None = None
    misfire: Literal["skip", "once", "all"] = "once"
    grace: Duration | None = Field(None, description="How late a missed time may still fire.")


class AlertRule(Strict):
    """Whom to tell about what."""

    webhook: Text | None = None
    email: Text | None = None
    command: Text | None = None
    events: list[EventName] = Field(min_length=1)

    @model_validator(mode="after")
    def _one_target(self) -> "AlertRule":
        if sum(one is not None for one in (self.webhook, self.email, self.command)) != 1:
            raise ValueError("give exactly one of webhook, email, command")
        (target,) = alerting.targets([self.model_dump(exclude_none=True)])
        if (rule := alerting.fault(target)) is not None:
            raise ValueError(f"{target.channel}: '{target.address}' is not {rule}")
        return self


class Parameter(Strict):
    """A declared parameter; without a default it must be given at the start."""

    type: TypeName | None = None
    default: Any = None
    required: bool = False
    description: str = ""


class Workflow(Strict):
    """A workflow without its tasks."""

    name: Name
    description: str = ""
    owner: str = ""
    tags: list[str] = Field(default_factory=list)
    timezone: Zone = "UTC"
    params: dict[ParameterName, Any] = Field(
        default_factory=dict, description="Defaults, or {type, default, required}."
    )
    timeout: LongDuration | None = Field(None, description="From the start; paused time does not count.")
    on_timeout: Literal["alert", "stop"] = "alert"
    on_failure: Literal["continue", "end"] = "continue"
    execution: Literal["parallel", "serial_wait", "serial_discard", "serial_priority"] = "parallel"
    priority: PriorityName = "medium"
    worker_group: Name = "default"
    environment: Name | None = None
    outputs: dict[ParameterName, Any] | None = None
    alerts: list[AlertRule] = Field(default_factory=list)
    schedules: list[Schedule] = Field(default_factory=list)
