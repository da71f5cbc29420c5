"""Owns start parameters: what `-p NAME=VALUE` and `submit(name=value)` mean for a definition."""

from collections.abc import Mapping
from typing import Any

from orchestrator.authoring.document import read_scalar
from orchestrator.authoring.names import did_you_mean
from orchestrator.core import types
from orchestrator.core.definition import WorkflowDefinition
from orchestrator.errors import DefinitionError, Fault


def parameters_from_text(definition: WorkflowDefinition, given: Mapping[str, str]) -> dict[str, Any]:
    """Return start parameters read from text: by the declared type, else as YAML values.

    Raises:
        DefinitionError: A name is not declared, a text is of the wrong type, or a required one is missing.
    """
    return _checked(definition, given, is_text=True)


def parameters_from_values(definition: WorkflowDefinition, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return start parameters given as values, checked against their declared types.

    Raises:
        DefinitionError: A name is not declared, a value is of the wrong type, or a required one is missing.
    """
    return _checked(definition, given, is_text=False)


def _checked(definition: WorkflowDefinition, given: Mapping[str, Any], *, is_text: bool) -> dict[str, Any]:
    faults = [
        Fault(message="must be given", field=name)
        for name, declared in definition.params.items()
        if declared.required and name not in given
    ]
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in definition.params:
            known = f"; declared: {', '.join(definition.params) or 'none'}"
            message = f"workflow '{definition.name}' declares no such parameter{known}"
            faults.append(Fault(message=message + did_you_mean(name, definition.params), field=name))
            continue
        try:
            values[name] = _typed(value, definition.params[name].type, is_text=is_text)
        except types.TypeMismatch as error:
            faults.append(Fault(message=str(error), field=name))
    if faults:
        raise DefinitionError(faults)
    return values


def _typed(value: Any, type_name: str | None, *, is_text: bool) -> Any:
    if is_text:
        return read_scalar(value) if type_name is None else types.from_text(value, type_name)
    return types.storable(value) if type_name is None else types.storable(types.check(value, type_name))
