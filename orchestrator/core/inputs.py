"""Owns the inputs of one attempt: what its parameters come to when it is dispatched."""

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from orchestrator.core import parameters
from orchestrator.core.definition import TaskDefinition
from orchestrator.core.surroundings import (
    Surroundings,
    built_ins,
    layers_of,
    own_params,
    replaced,
    with_element,
    with_times,
)
from orchestrator.errors import UnresolvedParameter

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


def resolve_inputs(task: TaskDefinition, around: Surroundings) -> Inputs:
    """Return the inputs of `task`, with references and time placeholders replaced, precedence of SEMANTICS 9.

    Raises:
        UnresolvedParameter: A reference has no value, a value is of the wrong type, or all is too large.
    """
    if task.type == "noop" and not task.params:
        return Inputs(params={}, parameters={}, spec=task.spec)
    built_in = built_ins(around)
    below, element = with_element(task, around, layers_of(around, built_in))
    own = own_params(task, around, below)
    if task.type == "python" and element and not _uses_element(task):
        own = {task.map_as: element[task.map_as], **own}
    names = parameters.visible([own, *below])
    params, scope = {name: names[name] for name in own}, around.scope(names)
    if task.type in LATE_FIELDS:
        used = _late_values(task, scope)
        parameters.check_size({**params, **used}, as_environment=False)
        return Inputs(params=params, parameters=used, spec=_late_spec(task, around))
    everything = _parameters_of(task, params, names, {**built_in, **element})
    parameters.check_size(everything or params, as_environment=task.type == "shell")
    return Inputs(params=params, parameters=everything, spec=_spec(task, scope, around))


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
    names = [name for name in _late_fields(task) if name not in _PROGRAMS]
    return {**task.spec, **{name: with_times(name, task.spec[name], around) for name in names}}


def _uses_element(task: TaskDefinition) -> bool:
    """Return whether the params of a map say which argument is the element, or need its index alone."""
    firsts = {path.partition(".")[0] for value in task.params.values() for path in _paths(value)}
    return not firsts.isdisjoint({task.map_as, "map_index"})


def _resolved_fields(task: TaskDefinition) -> tuple[str, ...]:
    return tuple(name for name in RESOLVED_FIELDS.get(task.type, ()) if name in task.spec)


def _spec(task: TaskDefinition, scope: parameters.Scope, around: Surroundings) -> Mapping[str, Any]:
    """Return the type's own fields with what they refer to; they may refer to the task's own params too."""
    names = _resolved_fields(task)
    if not names:
        return task.spec
    resolved = {name: replaced(f"field '{name}'", task.spec[name], scope, around) for name in names}
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
