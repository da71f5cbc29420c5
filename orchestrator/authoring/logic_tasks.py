"""Owns the language of the task types that the master decides itself."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from orchestrator.authoring.fields import (
    Duration,
    LongDuration,
    Name,
    ParameterName,
    Params,
    Strict,
    TaskName,
    Text,
    TypeName,
    one_of,
)
from orchestrator.authoring.task_fields import AnyTask, Attempted, Triggered


class Case(Strict):
    """One branch of a switch."""

    when: Text = Field(description="CEL expression over parameters and outputs.")
    then: list[TaskName]


class SwitchTask(Triggered):
    """Ordered expressions; the first that is true names the branch."""

    type: Literal["switch"]
    spec_fields = ("cases", "default")
    cases: list[Case] = Field(min_length=1)
    default: list[TaskName] | None = None


class Condition(Strict):
    """`task is success|failure`, or a group of conditions."""

    task: TaskName | None = None
    is_: Literal["success", "failure"] | None = Field(None, alias="is")
    all: list["Condition"] | None = Field(None, min_length=1)
    any: list["Condition"] | None = Field(None, min_length=1)

    @model_validator(mode="after")
    def _one_form(self) -> "Condition":
        leaf = self.task is not None and self.is_ is not None
        bare = self.task is None and self.is_ is None
        groups = sum(one is not None for one in (self.all, self.any))
        if not ((leaf and groups == 0) or (bare and groups == 1)):
            raise ValueError("write {task: NAME, is: success|failure}, or a group {all: […]} or {any: […]}")
        return self


class ConditionsTask(AnyTask):
    """Groups of conditions over other tasks, with a branch for each outcome."""

    type: Literal["conditions"]
    spec_fields = ("all", "any", "success", "failure")
    all: list[Condition] | None = Field(None, min_length=1)
    any: list[Condition] | None = Field(None, min_length=1)
    success: list[TaskName] = Field(default_factory=list)
    failure: list[TaskName] = Field(default_factory=list)

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[str]:
        """Yield what is wrong between fields as written."""
        yield from one_of(given, "all", "any")


class SubWorkflowTask(Attempted):
    """A child instance of another workflow."""

    type: Literal["sub_workflow"]
    spec_fields = ("workflow",)
    workflow: Name


WINDOWS = Literal[
    "current_hour", "last_1_hour", "last_2_hours", "last_3_hours", "last_24_hours",
    "today", "last_1_day", "last_2_days", "last_3_days", "last_7_days",
    "this_week", "last_week", "last_monday", "last_tuesday", "last_wednesday", "last_thursday",
    "last_friday", "last_saturday", "last_sunday",
    "this_month", "last_month", "last_month_begin", "last_month_end",
]  # fmt: skip


class Dependency(Strict):
    """Another workflow's (or task's) run in a window, or a group of dependencies."""

    workflow: Name | None = None
    task: TaskName | None = None
    window: WINDOWS | None = None
    all: list["Dependency"] | None = Field(None, min_length=1)
    any: list["Dependency"] | None = Field(None, min_length=1)

    @model_validator(mode="after")
    def _one_form(self) -> "Dependency":
        leaf = self.workflow is not None and self.window is not None
        bare = self.workflow is None and self.window is None and self.task is None
        groups = sum(one is not None for one in (self.all, self.any))
        if not ((leaf and groups == 0) or (bare and groups == 1)):
            raise ValueError("write {workflow: NAME, window: WINDOW}, or a group {all: […]} or {any: […]}")
        return self


class DependentTask(Triggered):
    """Waits for other workflows' or tasks' runs in a window around the planned time."""

    type: Literal["dependent"]
    spec_fields = ("all", "any", "on_missing", "wait", "check_every")
    all: list[Dependency] | None = Field(None, min_length=1)
    any: list[Dependency] | None = Field(None, min_length=1)
    on_missing: Literal["wait", "fail"] = "wait"
    wait: Duration | None = None
    check_every: LongDuration = 10.0

    @classmethod
    def contradictions(cls, given: Mapping[str, Any]) -> Iterator[str]:
        """Yield what is wrong between fields as written."""
        yield from one_of(given, "all", "any")


class ApprovalTask(Triggered):
    """Waits for a person's or a program's signal; its data are the outputs."""

    type: Literal["approval"]
    spec_fields = ("message", "default")
    message: str = ""
    outputs: dict[ParameterName, TypeName] = Field(default_factory=dict)
    timeout: LongDuration | None = None
    default: Params | None = Field(None, description="What counts when time is up.")
