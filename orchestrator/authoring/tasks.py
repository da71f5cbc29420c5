"""Owns the list of task types and which field fits which of them."""

from functools import cache
from importlib.metadata import entry_points
from typing import get_args

from orchestrator.authoring.fields import Strict
from orchestrator.authoring.logic_tasks import (
    ApprovalTask,
    ConditionsTask,
    DependentTask,
    SubWorkflowTask,
    SwitchTask,
)
from orchestrator.authoring.task_fields import AnyTask
from orchestrator.authoring.worker_tasks import (
    AddedTask,
    CeleryTask,
    HttpTask,
    NoopTask,
    PythonTask,
    ShellTask,
    SqlTask,
)
from orchestrator.core.order import EXECUTOR_GROUP

MODELS: dict[str, type[AnyTask]] = {
    get_args(model.model_fields["type"].annotation)[0]: model
    for model in (
        ShellTask,
        PythonTask,
        NoopTask,
        CeleryTask,
        SqlTask,
        HttpTask,
        SwitchTask,
        ConditionsTask,
        SubWorkflowTask,
        DependentTask,
        ApprovalTask,
    )
}
ALIASES = {"task_type": "type", "deps": "needs", "command": "run"}


def model_of(name: str) -> type[AnyTask] | None:
    """Return the model of a task type: its own, or the one for all types that installed packages add."""
    return MODELS.get(name) or (AddedTask if name in added_types() else None)


@cache
def added_types() -> tuple[str, ...]:
    """Return the task types that packages installed here add, in the order of the alphabet."""
    found = {entry.name for entry in entry_points(group=EXECUTOR_GROUP)}
    return tuple(sorted(found - MODELS.keys()))


def field_names(model: type[Strict]) -> list[str]:
    """Return the names under which `model` takes its fields, aliases of other programs left out."""
    return [field.alias or name for name, field in model.model_fields.items()]


def types_with(field: str) -> list[str]:
    """Return the task types that have `field`."""
    return [name for name, model in MODELS.items() if field in field_names(model)]
