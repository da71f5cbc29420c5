"""Owns what surrounds an attempt: the names that its params, expressions and elements can refer to, in layers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from orchestrator.core import parameters, placeholders, secrets, types
from orchestrator.core.definition import ParameterDefinition, TaskDefinition, WorkflowDefinition
from orchestrator.core.elements import group_of, index_of
from orchestrator.core.instance import Head, TaskInstance
from orchestrator.core.run_parameters import run_built_ins, typed_default
from orchestrator.errors import UnresolvedParameter

BUILT_INS = (
    "workflow_name",
    "workflow_instance_id",
    "task_name",
    "attempt",
    "run_count",
    "planned_time",
    "data_interval_start",
    "data_interval_end",
)
"""What every attempt has by these names, without anybody having written them."""

Layers = list[Mapping[str, Any]]
"""Names with their values, the strongest layer first."""

_HINTS: Mapping[type, str] = {str: "; declare the output or parameter it comes from as list"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Everything that may give a parameter of one attempt its value.

    Attributes:
        latest: Output name to the upstream task whose value counts (`OutputIndex.sources`).
        outputs: Outputs by task, at least of the tasks that `wanted_outputs` names.
        environment: Variables of the environment that the task or the workflow refers to.
        elements: How many elements the map of this attempt was found to have.
        secret_ticket: Marks the secrets that the definition and the start parameters name, for the worker that
            may resolve them; `None` leaves them as they are written.
    """

    definition: WorkflowDefinition
    head: Head
    attempt: TaskInstance
    latest: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    elements: int | None = None
    secret_ticket: str | None = None

    def scope(self, names: Mapping[str, Any]) -> parameters.Scope:
        """Return what can be referred to where these names are seen: outputs by their task besides."""
        return parameters.Scope(names=names, outputs=self.outputs)

    def marked(self, value: Any) -> Any:
        """Return a value with its secrets marked for the worker that may resolve them."""
        return value if self.secret_ticket is None else secrets.mark(value, self.secret_ticket)


def check_scope(task: TaskDefinition, around: Surroundings, outputs: Mapping[str, Any]) -> parameters.Scope:
    """Return everything that the check of `task` can refer to: its outputs first, then what the task saw.

    Raises:
        UnresolvedParameter: One of the task's own params cannot be resolved.
    """
    seen = visible_scope(task, around)
    return parameters.Scope(names={**seen.names, **outputs}, outputs=seen.outputs)


def visible_scope(task: TaskDefinition, around: Surroundings) -> parameters.Scope:
    """Return everything that an expression of `task` can refer to.

    Raises:
        UnresolvedParameter: One of the task's own params cannot be resolved.
    """
    below, _ = with_element(task, around, layers_of(around, built_ins(around)))
    return around.scope(parameters.visible([own_params(task, around, below), *below]))


def elements_of(task: TaskDefinition, around: Surroundings) -> list[Any]:
    """Return the list that a map runs over.

    Raises:
        UnresolvedParameter: It has no value, or is no list; the message says what it is, and the remedy.
    """
    return _list(task, around, layers_of(around, built_ins(around)))


def element_of(task: TaskDefinition, around: Surroundings) -> dict[str, Any]:
    """Return what a map gives an element besides everything else: itself and its index; others nothing.

    Raises:
        UnresolvedParameter: The list is none any more, or has another length.
    """
    return with_element(task, around, layers_of(around, built_ins(around)))[1]


def inherited(around: Surroundings) -> dict[str, Any]:
    """Return the start parameters of a run over its workflow's parameters: what a child may inherit.

    Raises:
        UnresolvedParameter: A workflow parameter cannot be resolved.
    """
    _, start, workflow, *_ = layers_of(around, built_ins(around))
    return {**workflow, **start}


def built_ins(around: Surroundings) -> dict[str, Any]:
    """Return the built-in parameters of an attempt; times are ISO 8601 in the workflow's zone."""
    of_run = run_built_ins(around.definition, around.head)
    return {**of_run, "task_name": around.attempt.task, "attempt": around.attempt.attempt}


def with_element(task: TaskDefinition, around: Surroundings, below: Layers) -> tuple[Layers, dict[str, Any]]:
    """Return the layers with the element of a map on top, and that element; nothing for other tasks.

    Raises:
        UnresolvedParameter: The list is none any more, or has another length.
    """
    if task.map_over is None or group_of(around.attempt.task) is None:
        return below, {}
    elements, index = _list(task, around, below), index_of(around.attempt.task)
    if around.elements not in (None, len(elements)):
        raise UnresolvedParameter(
            f"map: the list has {len(elements)} elements now, not {around.elements}; rerun the whole map"
        )
    if index >= len(elements):
        raise UnresolvedParameter(f"map: the list has {len(elements)} elements, none at {index}")
    element = {task.map_as: elements[index], "map_index": index}
    return [element, *below], element


def own_params(task: TaskDefinition, around: Surroundings, below: Layers) -> dict[str, Any]:
    """Return the task's own `params`, resolved by what the layers below them hold.

    Raises:
        UnresolvedParameter: A reference has no value.
    """
    scope = around.scope(parameters.visible([{}, *below]))
    return {name: _parameter(name, value, scope, around) for name, value in task.params.items()}


def replaced(place: str, value: Any, scope: parameters.Scope, around: Surroundings) -> Any:
    """Return a value with time placeholders and references replaced.

    Args:
        place: What the message about a fault begins with.
        value: As it was written.
        scope: What it may refer to.
        around: Says the time.

    Raises:
        UnresolvedParameter: A reference has no value, or a placeholder is wrong.
    """
    written = with_times(place, value, around)
    try:
        return parameters.resolve(written, scope)
    except UnresolvedParameter as error:
        raise UnresolvedParameter(f"{place}: {error}") from None


def with_times(place: str, value: Any, around: Surroundings) -> Any:
    """Return a value with its time placeholders replaced; references stay, and secrets are marked.

    Raises:
        UnresolvedParameter: A placeholder is wrong; the message begins with `place`.
    """
    zone = ZoneInfo(around.definition.timezone)
    try:
        return placeholders.resolve_value(around.marked(value), around.head.planned_time, zone)
    except UnresolvedParameter as error:
        raise UnresolvedParameter(f"{place}: {error}") from None


def layers_of(around: Surroundings, built_in: Mapping[str, Any]) -> Layers:
    """Return the layers under the task's own params, the strongest first.

    Raises:
        UnresolvedParameter: A workflow parameter cannot be resolved.
    """
    environment = around.marked(dict(around.environment))
    scope = parameters.Scope(names={**built_in, **environment}, outputs={})
    start = around.marked(around.head.params)
    workflow = {
        name: _default(name, declared, scope, around)
        for name, declared in around.definition.params.items()
        if name not in start and not declared.required
    }
    latest = {
        name: around.outputs[source][name]
        for name, source in around.latest.items()
        if name in around.outputs.get(source, {})
    }
    return [latest, start, workflow, environment, built_in]


def _default(name: str, declared: ParameterDefinition, scope: parameters.Scope, around: Surroundings) -> Any:
    try:
        return typed_default(declared, _parameter(name, declared.default, scope, around))
    except types.TypeMismatch as error:
        raise UnresolvedParameter(f"parameter '{name}': {error}") from None


def _parameter(name: str, value: Any, scope: parameters.Scope, around: Surroundings) -> Any:
    return replaced(f"parameter '{name}'", value, scope, around)


def _list(task: TaskDefinition, around: Surroundings, below: Layers) -> list[Any]:
    value = replaced("map", task.map_over, around.scope(parameters.visible([{}, *below])), around)
    if isinstance(value, list | tuple):
        return list(value)
    raise UnresolvedParameter(f"map: needs a list, not {_kind(value)}{_HINTS.get(type(value), '')}")


def _kind(value: Any) -> str:
    return "nothing" if value is None else types.type_of(value)
