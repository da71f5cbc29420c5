"""Owns the declared types of parameters and outputs: checking a value, and reading one from text."""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any

TYPES = ("string", "integer", "float", "boolean", "date", "list", "map")

_INTEGER_LIMIT = 2**63
_RANGE = f"{-_INTEGER_LIMIT} and {_INTEGER_LIMIT - 1}"
_INTEGER_TEXT = re.compile(r"\s*[-+]?[0-9]+\s*")
_SURROGATE = re.compile("[\ud800-\udfff]")
_JSON_SCALAR = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?|true|false")


class TypeMismatch(ValueError):
    """A value is not of its declared type; the message names both, never the value."""


def check(value: Any, type_name: str) -> Any:
    """Return `value` as a value of `type_name`, JSON-ready: a date as ISO text, an integer as a float.

    Args:
        value: A value as YAML, JSON or Python gives it.
        type_name: One of `TYPES`.

    Raises:
        TypeMismatch: The value is of another type, or the type is unknown.
    """
    return _checker(type_name)(value)


def from_text(text: str, type_name: str) -> Any:
    """Return what `text` says, read as `type_name`: what `-p NAME=VALUE` and a declared shell output mean.

    Raises:
        TypeMismatch: The text does not read as this type.
    """
    match type_name:
        case "string" | "date":
            return check(text, type_name)
        case "integer" | "float":
            return check(_number(text, type_name), type_name)
        case "boolean":
            return _boolean(text)
        case _:
            return check(_json(text, type_name), type_name)


def from_shell(text: str) -> Any:
    """Return a shell's value: a number, true or false if it reads exactly as JSON's; `007` stays text."""
    if not _JSON_SCALAR.fullmatch(text):
        return text
    try:
        value = json.loads(text)
    except ValueError:  # thousands of digits: Python refuses to read them, so it is no number here
        return text
    if isinstance(value, bool):
        return value
    fits = math.isfinite(value) if isinstance(value, float) else _is_wide_enough(value)
    return value if fits else text


def storable(value: Any) -> Any:
    """Return `value` if it and all its parts are JSON values that a database can hold.

    Raises:
        TypeMismatch: A part is not: a set, a NaN, a number beyond 64 bits, a key that is no text, a NUL, …
    """
    for _, message in unstorable(value):
        raise TypeMismatch(message)
    return value


def unstorable(value: Any) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield the place and the fault of each part of `value` that is no JSON value that a database can hold."""
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), value)]
    while waiting:
        path, part = waiting.pop()
        match part:
            case list() | tuple() as items:
                waiting.extend(((*path, index), one) for index, one in enumerate(items))
            case Mapping() as members if all(isinstance(key, str) for key in members):
                yield from ((path, fault) for key in members if (fault := _fault_of_text(key)))
                waiting.extend(((*path, key), one) for key, one in members.items())
            case _ if (fault := _fault_of(part)) is not None:
                yield path, fault


def _fault_of(value: Any) -> str | None:
    """Return why a value that holds no others cannot be stored."""
    match value:
        case None | bool():
            return None
        case str():
            return _fault_of_text(value)
        case int():
            return (
                None
                if _is_wide_enough(value)
                else f"an integer lies between {_RANGE}; a longer one can only be text"
            )
        case float():
            return None if math.isfinite(value) else "infinity and not-a-number cannot be stored"
        case _:
            return str(_mismatch(value, "text, numbers, true, false, null, and lists and maps of them"))


def _fault_of_text(text: str) -> str | None:
    if "\0" in text:
        return "a text holds a NUL character, which no database stores"
    return None if _SURROGATE.search(text) is None else "a text holds half of a character (a lone surrogate)"


def type_of(value: Any) -> str:
    """Return the name of the type that `value` has, `null` for `None`."""
    names = {bool: "boolean", int: "integer", float: "float", str: "string", type(None): "null"}
    if isinstance(value, Mapping):
        return "map"
    return names.get(type(value), "list" if isinstance(value, list | tuple) else type(value).__name__)


def _mismatch(value: Any, expected: str) -> TypeMismatch:
    return TypeMismatch(f"expected {expected}, got {type_of(value)}")  # not the value: it may be a secret


def _checker(type_name: str) -> Callable[[Any], Any]:
    checkers: dict[str, Callable[[Any], Any]] = {
        "string": _string,
        "integer": _integer,
        "float": _float,
        "boolean": _truth,
        "date": _date,
        "list": _list,
        "map": _map,
    }
    if type_name not in checkers:
        raise TypeMismatch(f"unknown type '{type_name}'; types are {', '.join(TYPES)}")
    return checkers[type_name]


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise _mismatch(value, "a string")
    return value


def _integer(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _mismatch(value, "an integer")
    if not _is_wide_enough(value):
        raise TypeMismatch(f"expected an integer between {_RANGE}, got one beyond them")
    return value


def _float(value: Any) -> float:
    if isinstance(value, int) and not isinstance(value, bool) and _is_wide_enough(value):
        return float(value)
    if not isinstance(value, float) or not math.isfinite(value):
        raise _mismatch(value, "a finite float")
    return value


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _mismatch(value, "a boolean (true or false)")
    return value


def _date(value: Any) -> str:
    if isinstance(value, date):
        return value.isoformat()
    try:
        return date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        raise _mismatch(value, "a date like 2026-11-01") from None


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise _mismatch(value, "a list")
    return list(value)


def _map(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise _mismatch(value, "a map with text keys")
    return dict(value)


def _is_wide_enough(value: int) -> bool:
    return -_INTEGER_LIMIT <= value < _INTEGER_LIMIT


def _number(text: str, type_name: str) -> int | float:
    try:
        return int(text) if type_name == "integer" else float(text)
    except ValueError:
        if _INTEGER_TEXT.fullmatch(text):  # thousands of digits: Python refuses to read them
            return _INTEGER_LIMIT
        raise _mismatch(text, "an integer" if type_name == "integer" else "a float") from None


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise _mismatch(text, "true or false")
    return text.lower() == "true"


def _json(text: str, type_name: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise _mismatch(text, f"a {type_name} as JSON") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)
