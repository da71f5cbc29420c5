"""Owns the outputs of a run: worked out when somebody reads them, from those of its tasks."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from orchestrator.core.dag import compile_graph
from orchestrator.core.definition import WorkflowDefinition
from orchestrator.core.instance import TaskInstance
from orchestrator.core.parameters import Scope, resolve, visible
from orchestrator.core.status import TaskState
from orchestrator.errors import DefinitionError, UnresolvedParameter

NEVER = datetime.min.replace(tzinfo=UTC)
GIVES_OUTPUTS = frozenset({TaskState.SUCCESS, TaskState.FORCED_SUCCESS})


def outputs_of_run(
    definition: WorkflowDefinition, params: Mapping[str, Any], attempts: Sequence[TaskInstance]
) -> dict[str, Any]:
    """Return what a run gives: what its definition declares, else the merged outputs of its leaves.

    A declared output whose references have no value (yet) is left out.

    Args:
        definition: The version that the run is pinned to.
        params: The run's start parameters.
        attempts: Attempts of the run; only current ones that succeeded count, the last to end last.
    """
    succeeded = [one for one in attempts if one.current and one.state in GIVES_OUTPUTS]
    succeeded.sort(key=lambda one: (one.ended_at or NEVER, one.sequence))
    if definition.outputs is None:
        return _merged(succeeded, _leaves(definition))
    return _declared(definition, params, succeeded)


def _merged(succeeded: Sequence[TaskInstance], tasks: frozenset[str]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for one in succeeded:
        if one.task in tasks:
            merged.update(one.outputs)
    return merged


def _declared(
    definition: WorkflowDefinition, params: Mapping[str, Any], succeeded: Sequence[TaskInstance]
) -> dict[str, Any]:
    latest = _merged(succeeded, frozenset(one.task for one in succeeded))
    defaults = {name: one.default for name, one in definition.params.items() if not one.required}
    scope = Scope(
        names=visible([{}, latest, params, defaults]), outputs={one.task: one.outputs for one in succeeded}
    )
    found: dict[str, Any] = {}
    for name, value in (definition.outputs or {}).items():
        try:
            found[name] = resolve(value, scope)
        except UnresolvedParameter:
            continue
    return found


def _leaves(definition: WorkflowDefinition) -> frozenset[str]:
    try:
        return frozenset(compile_graph(definition).leaves)
    except DefinitionError:  # such a run ends FAILURE at its start; it is shown all the same
        return frozenset()
