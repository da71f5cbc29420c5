"""Owns the start parameters of a run: from `NAME=VALUE` texts or values to checked values."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from orchestrator.authoring.document import read_scalar
from orchestrator.authoring.names import did_you_mean
from orchestrator.core.definition import ParameterDefinition, TaskDefinition, WorkflowDefinition
from orchestrator.core.types import TypeMismatch, check, from_text, storable, type_of
from orchestrator.errors import UserError

Reader = Callable[[ParameterDefinition, Any], Any]

LONGEST_SCALAR = 100
"""A longer value is text: no number or boolean has so many characters."""


def read_pairs(texts: Iterable[str]) -> dict[str, str]:
    """Return name to text for `NAME=VALUE` texts.

    Raises:
        UserError: A text has no `=` or no name, or a name is given twice.
    """
    pairs: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UserError(f"-p {text}: expected NAME=VALUE")
        if name in pairs:
            raise UserError(f"-p {name}: given twice")
        pairs[name] = value
    return pairs


def parameters_from_texts(
    definition: WorkflowDefinition, texts: Mapping[str, str], known: Collection[str] = ()
) -> dict[str, Any]:
    """Return the start parameters that the texts say, read by their declared types, else as YAML scalars.

    Args:
        definition: Declares them.
        texts: Name to text.
        known: Names that have a value already: a required one among them may be left out.

    Raises:
        UserError: A name is not declared, a value does not read as its type, a required one is missing.
    """
    owner = f"workflow '{definition.name}'"
    return _collect(owner, definition.params, texts, _read_text, known)


def parameters_from_values(definition: WorkflowDefinition, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the start parameters, checked against their declared types.

    Raises:
        UserError: A name is not declared, a value is of another type, a required one is missing.
    """
    return _collect(f"workflow '{definition.name}'", definition.params, values, _check_value)


def outputs_from_texts(task: TaskDefinition, texts: Mapping[str, str]) -> dict[str, Any]:
    """Return the data of a signal, read by the outputs that its task declares, else as YAML scalars.

    Raises:
        UserError: A name is not declared, a value does not read as its type, a declared one is missing.
    """
    declared = {name: ParameterDefinition(type=kind, required=True) for name, kind in task.outputs.items()}
    shaped = declared or {name: ParameterDefinition() for name in texts}
    return _collect(f"task '{task.name}'", shaped, texts, _read_text)


def _collect(
    owner: str,
    params: Mapping[str, ParameterDefinition],
    given: Mapping[str, Any],
    read: Reader,
    known: Collection[str] = (),
) -> dict[str, Any]:
    faults: list[str] = []
    values: dict[str, Any] = {}
    for name, value in given.items():
        declared = params.get(name)
        if declared is None:
            faults.append(_undeclared(owner, params, name))
            continue
        try:
            values[name] = read(declared, value)
        except TypeMismatch as error:
            faults.append(f"parameter '{name}': {error}")
    there = {*given, *known}
    missing = [name for name, one in params.items() if one.required and name not in there]
    faults.extend(f"parameter '{name}' is required: -p {name}=…" for name in missing)
    if faults:
        raise UserError("\n".join(faults))
    return values


def _undeclared(owner: str, params: Iterable[str], name: str) -> str:
    if not params:
        return f"parameter '{name}': {owner} declares no parameters"
    return f"parameter '{name}' is not declared by {owner}{did_you_mean(name, params)}"


def values_from_texts(texts: Mapping[str, str], declared: Mapping[str, str], what: str) -> dict[str, Any]:
    """Return the values that the texts say, read by their declared types, else as YAML scalars.

    Args:
        texts: Name to text.
        declared: Name to type; other names are allowed.
        what: What the values are, for the message.

    Raises:
        UserError: A text does not read as its type.
    """
    values: dict[str, Any] = {}
    for name, text in texts.items():
        try:
            values[name] = _read_text(ParameterDefinition(type=declared.get(name)), text)
        except TypeMismatch as error:
            raise UserError(f"{what} '{name}': {error}") from None
    return values


def _read_text(declared: ParameterDefinition, text: str) -> Any:
    type_name = declared.type or _shape_of(declared.default)
    return storable(from_text(text, type_name) if type_name else _yaml_scalar(text))


def _check_value(declared: ParameterDefinition, value: Any) -> Any:
    return storable(check(value, declared.type) if declared.type else value)


def _shape_of(default: Any) -> str | None:
    """Return the type of a parameter whose default is a list or a map: its text can only be one, too."""
    return type_of(default) if isinstance(default, list | tuple | Mapping) else None


def _yaml_scalar(text: str) -> Any:
    """Return a number, boolean, null or text; anything else (a date, a list) is the text itself."""
    value = read_scalar(text) if len(text) <= LONGEST_SCALAR else text
    return value if value is None or isinstance(value, str | int | float | bool) else text
