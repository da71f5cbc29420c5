"""Owns the outputs of a whole run: those that the workflow names, else those of its leaves."""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from orchestrator.core import parameters, placeholders
from orchestrator.core.dag import compile_graph
from orchestrator.core.definition import WorkflowDefinition
from orchestrator.core.elements import group_of
from orchestrator.core.instance import Head, TaskInstance
from orchestrator.core.outputs import outputs_given
from orchestrator.core.status import TaskState
from orchestrator.errors import UnresolvedParameter

_GIVES_OUTPUTS = frozenset({TaskState.SUCCESS, TaskState.FORCED_SUCCESS})


def workflow_outputs(
    definition: WorkflowDefinition, head: Head, attempts: Mapping[str, TaskInstance]
) -> dict[str, Any]:
    """Return the outputs of a run; a named one that has no value, since its task did not succeed, is `None`.

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
        leaves = frozenset(compile_graph(definition).leaves)
        return _merged([one for one in ended if one.task in leaves])
    defaults = {name: declared.default for name, declared in definition.params.items()}
    names = {"workflow_name": head.workflow, "workflow_instance_id": head.id, **defaults, **head.params}
    scope = parameters.Scope(
        names={**names, **_merged(ended)},
        outputs={one.task: outputs_given(one, one.outputs) for one in ended},
    )
    zone = ZoneInfo(definition.timezone)
    return {
        name: _value(placeholders.resolve_value(value, head.planned_time, zone), scope)
        for name, value in definition.outputs.items()
    }


def _merged(ended: list[TaskInstance]) -> dict[str, Any]:
    """Return the outputs by bare name; of equal names the one committed last wins."""
    return {name: value for one in ended for name, value in one.outputs.items()}


def _value(value: Any, scope: parameters.Scope) -> Any:
    try:
        return parameters.resolve(value, scope)
    except UnresolvedParameter:
        return None
