"""Owns the outputs of a whole run: those that the workflow names, else those of its leaves."""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from orchestrator.core import parameters, placeholders, types
from orchestrator.core.dag import compile_graph, select_tasks
from orchestrator.core.definition import ParameterDefinition, WorkflowDefinition
from orchestrator.core.elements import group_of
from orchestrator.core.instance import Head, TaskInstance
from orchestrator.core.outputs import outputs_given
from orchestrator.core.run_parameters import run_built_ins, typed_default
from orchestrator.core.status import TaskState
from orchestrator.errors import UnresolvedParameter

_GIVES_OUTPUTS = frozenset({TaskState.SUCCESS, TaskState.FORCED_SUCCESS})


def workflow_outputs(
    definition: WorkflowDefinition, head: Head, attempts: Mapping[str, TaskInstance]
) -> dict[str, Any]:
    """Return the outputs of a run; a named one that has no value, since its task did not succeed, is `None`.

    A named one sees every output, start and workflow parameters, and the built-ins of the run.

    Args:
        definition: The definition that the run is pinned to.
        head: The run.
        attempts: The current attempt of each task that has one.
    """
    ended = sorted(
        (one for one in attempts.values() if one.state in _GIVES_OUTPUTS and group_of(one.task) is None),
        key=lambda one: (one.ended_at is not None, one.ended_at, one.sequence),
    )
    if definition.outputs is None:
        leaves = frozenset(compile_graph(select_tasks(definition, head.start_nodes, head.depends)).leaves)
        return _merged([one for one in ended if one.task in leaves])
    merged = _merged(ended)
    scope = parameters.Scope(
        names={**_parameters(definition, head), **merged},
        outputs={one.task: outputs_given(one, one.outputs) for one in ended},
    )
    return {name: _value(value, scope, definition, head) for name, value in definition.outputs.items()}


def _parameters(definition: WorkflowDefinition, head: Head) -> dict[str, Any]:
    """Return what a task of the run without params and upstreams would see."""
    built_ins = run_built_ins(definition, head)
    below = parameters.Scope(names=built_ins, outputs={})
    defaults = {
        name: _default(declared, below, definition, head) for name, declared in definition.params.items()
    }
    return {**built_ins, **defaults, **head.params}


def _default(
    declared: ParameterDefinition, below: parameters.Scope, definition: WorkflowDefinition, head: Head
) -> Any:
    try:
        return typed_default(declared, _value(declared.default, below, definition, head))
    except types.TypeMismatch:
        return None


def _merged(ended: list[TaskInstance]) -> dict[str, Any]:
    """Return the outputs by bare name; of equal names the one committed last wins."""
    return {name: value for one in ended for name, value in one.outputs.items()}


def _value(value: Any, scope: parameters.Scope, definition: WorkflowDefinition, head: Head) -> Any:
    """Return what is written, with placeholders and references replaced; `None` if one cannot be."""
    try:
        written = placeholders.resolve_value(value, head.planned_time, ZoneInfo(definition.timezone))
        return parameters.resolve(written, scope)
    except UnresolvedParameter:
        return None
