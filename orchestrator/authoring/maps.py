"""Owns what can be said of a map before anything runs: that it is a list, or a reference that can be one."""

from collections.abc import Iterator, Mapping

from orchestrator.authoring import names
from orchestrator.core import types
from orchestrator.core.definition import ParameterDefinition, TaskDefinition, WorkflowDefinition
from orchestrator.core.parameters import texts, whole_reference
from orchestrator.errors import Fault

REMEDY = 'needs a list, or a reference to one: "${name}"'


def map_faults(definition: WorkflowDefinition, tasks: Mapping[str, TaskDefinition]) -> Iterator[Fault]:
    """Yield what is wrong with what the maps of a definition run over.

    Args:
        definition: The definition.
        tasks: Its tasks by name.
    """
    for task in definition.tasks:
        if task.map_over is None:
            continue
        if isinstance(task.map_over, list):
            if len(task.map_over) > names.MAX_ELEMENTS:
                message = (
                    f"a map has at most {names.MAX_ELEMENTS} elements, this one {len(task.map_over)};"
                    " share the list among several maps"
                )
                yield Fault(message=message, task=task.name, field="map")
            continue
        path = whole_reference(task.map_over) if isinstance(task.map_over, str) else None
        if path is None:
            yield Fault(message=f"{REMEDY}, not {types.type_of(task.map_over)}", task=task.name, field="map")
        elif (kind := _declared(path, definition, tasks)) not in (None, "list"):
            message = f"${{{path}}} is declared as {kind}; {REMEDY}"
            yield Fault(message=message, task=task.name, field="map")
        elif (kind := _by_default(path, definition)) not in (None, "list"):
            message = f"the default of ${{{path}}} is {kind}; {REMEDY}"
            yield Fault(message=message, task=task.name, field="map")


def _declared(path: str, definition: WorkflowDefinition, tasks: Mapping[str, TaskDefinition]) -> str | None:
    """Return the declared type of a parameter or an output, as far as it is known for sure."""
    first, dot, rest = path.partition(".")
    if not dot:
        declared = _parameter(first, definition)
        return declared.type if declared is not None else None
    upstream = tasks.get(first)
    return upstream.outputs.get(rest) if upstream is not None and upstream.map_over is None else None


def _by_default(path: str, definition: WorkflowDefinition) -> str | None:
    """Return the type of what a parameter without a declared type is by default; `None`: not known yet."""
    declared = _parameter(path, definition)
    if declared is None or declared.type is not None or declared.default is None:
        return None
    later = any("${" in text or "$[" in text for text in texts(declared.default))
    return None if later else types.type_of(declared.default)


def _parameter(name: str, definition: WorkflowDefinition) -> ParameterDefinition | None:
    """Return the workflow parameter that a bare name means for sure: no task has an output of that name."""
    may_be_an_output = any(name in task.outputs for task in definition.tasks)
    return None if may_be_an_output else definition.params.get(name)
