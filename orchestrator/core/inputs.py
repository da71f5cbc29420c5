"""Owns the inputs of one attempt: what its parameters come to when it is dispatched."""

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from orchestrator.core import parameters, placeholders, secrets, types
from orchestrator.core.definition import ParameterDefinition, TaskDefinition, WorkflowDefinition
from orchestrator.core.elements import group_of, index_of
from orchestrator.core.instance import Head, TaskInstance
from orchestrator.core.run_parameters import run_built_ins, typed_default
from orchestrator.errors import UnresolvedParameter


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Resolved inputs.

    Attributes:
        params: The task's own `params`: what a python callable gets.
        parameters: Everything visible by name: what a shell gets. A python task's hold its params and the
            built-ins only, a noop's nothing, so that what they do not use does not count against the limit.
            An sql or http task's hold the value of each reference in its fields, by the reference's path.
        spec: The type's own fields: with references replaced in those that take them as they are, with time
            placeholders only in those in which the worker encodes what references come to.
    """

    params: Mapping[str, Any]
    parameters: Mapping[str, Any]
    spec: Mapping[str, Any] = field(default_factory=dict)


def wanted_outputs(task: TaskDefinition, latest: Mapping[str, str]) -> AbstractSet[str]:
    """Return the tasks whose outputs `resolve_inputs` will read; the caller fetches them beforehand.

    Args:
        task: The task to be dispatched.
        latest: Output name to the upstream task whose value counts.
    """
    cases = [case["when"] for case in task.spec.get("cases", ())]
    fields = [task.spec[name] for name in (*_resolved_fields(task), *_late_fields(task))]
    given = [*task.params.values(), *cases, *fields, task.map_over]
    paths = {path for value in given for path in _paths(value)}
    by_task = {path.partition(".")[0] for path in paths if "." in path}
    if task.type not in _SEE_OWN_PARAMS_ONLY:
        return by_task.union(latest.values())
    names = {*task.params, *(path.partition(".")[0] for path in paths)}
    return by_task.union(latest[name] for name in names if name in latest)


def wanted_by_check(
    task: TaskDefinition, latest: Mapping[str, str], names: Collection[str]
) -> AbstractSet[str]:
    """Return the upstream tasks whose outputs the check of `task` will read: those behind its params, too.

    Args:
        task: The task that has ended.
        latest: Output name to the upstream task whose value counts.
        names: What the expression refers to, as paths.
    """
    given = [*task.params.values(), task.map_over]
    paths = {*names, *(path for value in given for path in _paths(value))}
    firsts = {path.partition(".")[0] for path in paths}
    by_task = {path.partition(".")[0] for path in paths if "." in path}
    return by_task.union(latest[name] for name in {*task.params, *firsts} if name in latest)


def check_scope(task: TaskDefinition, around: Surroundings, outputs: Mapping[str, Any]) -> parameters.Scope:
    """Return everything that the check of `task` can refer to: its outputs first, then what the task saw.

    Raises:
        UnresolvedParameter: One of the task's own params cannot be resolved.
    """
    seen = visible_scope(task, around)
    return parameters.Scope(names={**seen.names, **outputs}, outputs=seen.outputs)


def resolve_inputs(task: TaskDefinition, around: Surroundings) -> Inputs:
    """Return the inputs of `task`, with references and time placeholders replaced, precedence of SEMANTICS 9.

    Raises:
        UnresolvedParameter: A reference has no value, a value is of the wrong type, or all is too large.
    """
    if task.type == "noop" and not task.params:
        return Inputs(params={}, parameters={}, spec=task.spec)
    built_in = built_ins(around)
    below, element = _with_element(task, around, _below(around, built_in))
    scope = parameters.Scope(names=parameters.visible([{}, *below]), outputs=around.outputs)
    own = {name: _resolved(name, value, scope, around) for name, value in task.params.items()}
    if task.type == "python" and element and not _uses_element(task):
        own = {task.map_as: element[task.map_as], **own}
    names = parameters.visible([own, *below])
    params = {name: names[name] for name in own}
    if task.type in LATE_FIELDS:
        used = _late_values(task, parameters.Scope(names=names, outputs=around.outputs))
        parameters.check_size({**params, **used}, as_environment=False)
        return Inputs(params=params, parameters=used, spec=_late_spec(task, around))
    everything = _parameters_of(task, params, names, {**built_in, **element})
    parameters.check_size(everything or params, as_environment=task.type == "shell")
    spec = _spec(task, parameters.Scope(names=names, outputs=around.outputs), around)
    return Inputs(params=params, parameters=everything, spec=spec)


def visible_scope(task: TaskDefinition, around: Surroundings) -> parameters.Scope:
    """Return everything that an expression of `task` can refer to.

    Raises:
        UnresolvedParameter: One of the task's own params cannot be resolved.
    """
    below, _ = _with_element(task, around, _below(around, built_ins(around)))
    scope = parameters.Scope(names=parameters.visible([{}, *below]), outputs=around.outputs)
    own = {name: _resolved(name, value, scope, around) for name, value in task.params.items()}
    return parameters.Scope(names=parameters.visible([own, *below]), outputs=around.outputs)


def elements_of(task: TaskDefinition, around: Surroundings) -> list[Any]:
    """Return the list that a map runs over.

    Raises:
        UnresolvedParameter: It has no value, or is no list; the message says what it is, and the remedy.
    """
    return _list(task, around, _below(around, built_ins(around)))


def element_of(task: TaskDefinition, around: Surroundings) -> dict[str, Any]:
    """Return what a map gives an element besides everything else: itself and its index; others nothing.

    Raises:
        UnresolvedParameter: The list is none any more, or has another length.
    """
    return _with_element(task, around, _below(around, built_ins(around)))[1]


def inherited(around: Surroundings) -> dict[str, Any]:
    """Return the start parameters of a run over its workflow's parameters: what a child may inherit.

    Raises:
        UnresolvedParameter: A workflow parameter cannot be resolved.
    """
    _, start, workflow, *_ = _below(around, built_ins(around))
    return {**workflow, **start}


def built_ins(around: Surroundings) -> dict[str, Any]:
    """Return the built-in parameters of an attempt; times are ISO 8601 in the workflow's zone."""
    of_run = run_built_ins(around.definition, around.head)
    return {**of_run, "task_name": around.attempt.task, "attempt": around.attempt.attempt}


RESOLVED_FIELDS: Mapping[str, tuple[str, ...]] = {"celery": ("args", "kwargs")}
"""Task type to those of its own fields in which references and time placeholders are replaced, as in `params`."""

LATE_FIELDS: Mapping[str, tuple[str, ...]] = {
    "http": ("url", "headers", "query", "auth", "json", "form", "body", "expect_body"),
    "sql": ("sql",),
}
"""Task type to those of its own fields in which the worker replaces references, each as its place needs it."""

_PROGRAMS = frozenset({"sql"})
"""Fields that are programs: no time placeholder and no secret in them is read."""

_SEE_OWN_PARAMS_ONLY = frozenset({"noop", "python", "celery", "sub_workflow", *LATE_FIELDS})

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


def _paths(value: Any) -> set[str]:
    try:
        return parameters.references(value)
    except UnresolvedParameter:  # `resolve_inputs` will say it with the parameter's name
        return set()


def _late_fields(task: TaskDefinition) -> tuple[str, ...]:
    return tuple(name for name in LATE_FIELDS.get(task.type, ()) if name in task.spec)


def _late_values(task: TaskDefinition, scope: parameters.Scope) -> dict[str, Any]:
    """Return the value of each reference in the task's own fields, by its path."""
    used = {}
    for name in _late_fields(task):
        for path in _paths_or_fault(name, task.spec[name]):
            try:
                used[path] = scope.value(path)
            except LookupError:
                raise UnresolvedParameter(f"{name}: ${{{path}}} has no value") from None
    return used


def _paths_or_fault(name: str, value: Any) -> set[str]:
    try:
        return parameters.references(value)
    except UnresolvedParameter as error:
        raise UnresolvedParameter(f"{name}: {error}") from None


def _late_spec(task: TaskDefinition, around: Surroundings) -> dict[str, Any]:
    """Return the type's own fields with their time placeholders replaced and their references left."""
    with_times = {
        name: _with_times(name, task.spec[name], around)
        for name in _late_fields(task)
        if name not in _PROGRAMS
    }
    return {**task.spec, **with_times}


def _with_times(name: str, value: Any, around: Surroundings) -> Any:
    zone = ZoneInfo(around.definition.timezone)
    try:
        return placeholders.resolve_value(_marked(value, around), around.head.planned_time, zone)
    except UnresolvedParameter as error:
        raise UnresolvedParameter(f"{name}: {error}") from None


def _marked(value: Any, around: Surroundings) -> Any:
    return value if around.secret_ticket is None else secrets.mark(value, around.secret_ticket)


Layers = list[Mapping[str, Any]]


def _with_element(task: TaskDefinition, around: Surroundings, below: Layers) -> tuple[Layers, dict[str, Any]]:
    """Return the layers with the element of a map on top, and that element; nothing for other tasks."""
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


def _list(task: TaskDefinition, around: Surroundings, below: Layers) -> list[Any]:
    scope = parameters.Scope(names=parameters.visible([{}, *below]), outputs=around.outputs)
    value = _replaced("map", task.map_over, scope, around)
    if isinstance(value, list | tuple):
        return list(value)
    raise UnresolvedParameter(f"map: needs a list, not {_kind(value)}{_HINTS.get(type(value), '')}")


def _kind(value: Any) -> str:
    return "nothing" if value is None else types.type_of(value)


_HINTS: Mapping[type, str] = {str: "; declare the output or parameter it comes from as list"}


def _uses_element(task: TaskDefinition) -> bool:
    """Return whether the params of a map say which argument is the element, or need its index alone."""
    firsts = {path.partition(".")[0] for value in task.params.values() for path in _paths(value)}
    return not firsts.isdisjoint({task.map_as, "map_index"})


def _below(around: Surroundings, built_in: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the layers under the task's own params, the strongest first."""
    environment = _marked(dict(around.environment), around)
    scope = parameters.Scope(names={**built_in, **environment}, outputs={})
    start = _marked(around.head.params, around)
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
        return typed_default(declared, _resolved(name, declared.default, scope, around))
    except types.TypeMismatch as error:
        raise UnresolvedParameter(f"parameter '{name}': {error}") from None


def _resolved(name: str, value: Any, scope: parameters.Scope, around: Surroundings) -> Any:
    return _replaced(f"parameter '{name}'", value, scope, around)


def _replaced(place: str, value: Any, scope: parameters.Scope, around: Surroundings) -> Any:
    zone = ZoneInfo(around.definition.timezone)
    try:
        written = placeholders.resolve_value(_marked(value, around), around.head.planned_time, zone)
        return parameters.resolve(written, scope)
    except UnresolvedParameter as error:
        raise UnresolvedParameter(f"{place}: {error}") from None


def _resolved_fields(task: TaskDefinition) -> tuple[str, ...]:
    return tuple(name for name in RESOLVED_FIELDS.get(task.type, ()) if name in task.spec)


def _spec(task: TaskDefinition, scope: parameters.Scope, around: Surroundings) -> Mapping[str, Any]:
    """Return the type's own fields with what they refer to; they may refer to the task's own params too."""
    names = _resolved_fields(task)
    if not names:
        return task.spec
    resolved = {name: _replaced(f"field '{name}'", task.spec[name], scope, around) for name in names}
    parameters.check_size(resolved, as_environment=False)
    return {**task.spec, **resolved}


def _parameters_of(
    task: TaskDefinition, params: Mapping[str, Any], names: Mapping[str, Any], built_in: Mapping[str, Any]
) -> Mapping[str, Any]:
    match task.type:
        case "noop" | "sub_workflow":
            return {}
        case "python" | "celery":
            return {**built_in, **params}
        case _:
            return names
