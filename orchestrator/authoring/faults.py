"""Owns the messages about wrong fields: what pydantic found, said in the words of the language, with its line."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from orchestrator.authoring.document import line_of
from orchestrator.authoring.fields import Strict
from orchestrator.authoring.names import did_you_mean
from orchestrator.authoring.tasks import field_names, types_with
from orchestrator.core.types import type_of
from orchestrator.errors import Fault

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "float_type": "a number",
    "list_type": "a list",
    "dict_type": "a map",
    "model_type": "a map",
    "mapping_type": "a map",
}
_WORDS = {
    "string": "text",
    "integer": "a whole number",
    "float": "a number",
    "boolean": "true or false",
    "null": "nothing",
}

Path = Sequence[str | int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a part of a document stands.

    Attributes:
        value: The part, which knows its lines.
        task: Name of the task that it is, if it is one.
        prefix: Path of the part in its workflow or task.
    """

    value: Any
    file: str | None = None
    task: str | None = None
    prefix: tuple[str, ...] = ()

    def fault(self, message: str, path: Path = ()) -> Fault:
        """Return the fault `message` about the field at `path` in this part."""
        return Fault(
            message=message,
            file=self.file,
            line=line_of(self.value, path),
            task=self.task,
            field=_label([*self.prefix, *path]) or None,
        )


def faults_of(error: ValidationError, model: type[Strict], place: Place) -> list[Fault]:
    """Return one fault for each thing that pydantic found wrong."""
    found = []
    for detail in error.errors(include_url=False):
        path = [part for part in detail["loc"] if part != "[key]"]
        found.append(place.fault(_message(detail, path, model), path))
    return found


def _message(detail: ErrorDetails, path: list[str | int], model: type[Strict]) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in _EXPECTED:
        return f"must be {_EXPECTED[kind]}, not {_kind(detail['input'])}"
    match kind:
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return _unknown_field(str(path[-1]), _model_at(model, path[:-1]), top=len(path) == 1)
        case "literal_error":
            allowed = str(context["expected"])
            known = [word.strip("' ") for word in allowed.replace(" or ", ",").split(",")]
            return f"must be one of {allowed}{did_you_mean(str(detail['input']), known)}"
        case "value_error":
            return str(context["error"])
        case _:
            return detail["msg"][:1].lower() + detail["msg"][1:]


def _kind(value: Any) -> str:
    name = type_of(value)
    return _WORDS.get(name, f"a {name}")


def _unknown_field(name: str, model: type[Strict], *, top: bool) -> str:
    known = field_names(model)
    fitting = types_with(name) if top and "type" in known else []
    if fitting:
        return f"does not fit this type of task; it fits {', '.join(fitting)}"
    return f"is no field{did_you_mean(name, known)}; allowed: {', '.join(sorted(known))}"


def _model_at(model: type[Strict], path: Path) -> type[Strict]:
    """Return the model of the part at `path`, following fields by their written names."""
    for part in path:
        for name, field in model.model_fields.items():
            if part in (name, field.alias):
                model = next(_models(field.annotation), model)
    return model


def _models(annotation: Any) -> Iterator[type[Strict]]:
    if isinstance(annotation, type) and issubclass(annotation, Strict):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _label(path: Path) -> str:
    """Write a path as people do: `cases[0].when`."""
    label = ""
    for part in path:
        label += f"[{part}]" if isinstance(part, int) else f".{part}" if label else part
    return label
