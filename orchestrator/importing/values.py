"""Owns the values of parameters on their way in: declared types, and the texts that stand for times and names."""

import json
import re
from collections.abc import Callable
from typing import Any

from orchestrator.core import placeholders, types
from orchestrator.importing.source import Property

REFERENCE = re.compile(r"\$\{([\w.-]+)\}")
TIME = re.compile(r"\$\[([^\[\]\n]*)\]")
SYSTEM = {
    "system.biz.date": "$[yyyyMMdd-1]",
    "system.biz.curdate": "$[yyyyMMdd]",
    "system.datetime": "$[yyyyMMddHHmmss]",
    "system.workflow.instance.id": "${workflow_instance_id}",
    "system.workflow.definition.name": "${workflow_name}",
    "system.task.definition.name": "${task_name}",
}
"""DolphinScheduler's built-in parameters, in our words; the others have no equivalent."""

_TYPES = {
    "VARCHAR": "string",
    "INTEGER": "integer",
    "LONG": "integer",
    "FLOAT": "float",
    "DOUBLE": "float",
    "BOOLEAN": "boolean",
    "LIST": "list",
    "DATE": "string",
    "TIME": "string",
    "TIMESTAMP": "string",
}


def declared_type(one: Property) -> str | None:
    """Return our name of the type that a parameter declares, or nothing if there is none.

    Dates and times are text: the other system takes them in any format.
    """
    return _TYPES.get(one.kind)


def typed(one: Property) -> Any:
    """Return the value of a parameter as a value of its declared type, as text if it is computed later.

    Raises:
        ValueError: The text cannot be read as the type.
    """
    type_name = _TYPES.get(one.kind, "string")
    if not isinstance(one.value, str):
        return one.value if type_name != "string" or isinstance(one.value, int | float | list | dict) else ""
    if type_name == "string" or not one.value.strip() or is_computed(one.value):
        return one.value
    try:
        return types.from_text(one.value.strip(), type_name)
    except types.TypeMismatch as error:
        raise ValueError(f"the value of '{one.name}' does not fit its type {one.kind}: {error}") from None


def is_computed(text: str) -> bool:
    """Return whether a text holds a reference or a time placeholder."""
    return "${" in text or "$[" in text


def translate(text: str, our_name: Callable[[str], str]) -> str:
    """Return a text that our language resolves, with references under our names and built-ins in our words."""
    return REFERENCE.sub(lambda match: SYSTEM.get(match[1]) or f"${{{our_name(match[1])}}}", text)


def translate_value(value: Any, our_name: Callable[[str], str]) -> Any:
    """Return `value` with all its texts translated, in lists and maps at any depth."""
    match value:
        case str():
            return translate(value, our_name)
        case list():
            return [translate_value(one, our_name) for one in value]
        case dict():
            return {str(key): translate_value(one, our_name) for key, one in value.items()}
        case _:
            return value


def time_fault(body: str) -> str | None:
    """Return why `$[body]` cannot be taken over, or nothing if it can."""
    found = placeholders.find_faults(f"$[{body}]")
    return found[0] if found else None


def as_shown(value: Any) -> str:
    """Return a value as the other system pastes it into a program."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
