"""Owns a task's outputs: reading them from what a script wrote, typing and checking them."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from orchestrator.core import types
from orchestrator.worker.executors.port import TaskFailure

LIMIT_BYTES = 64 * 1024
SET_VALUE = re.compile(r"[$#]\{setValue\(([A-Za-z_][A-Za-z0-9_]*)=(.*)\)\}")
ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(=|<<)(.*)")
INTEGER_LIMIT = 2**63
INTEGER_DIGITS = 20


def parse_file(text: str) -> dict[str, str]:
    """Return the values of an output file: `name=value` lines and `name<<EOF` blocks; later ones win.

    Raises:
        TaskFailure: A line is neither, or a block has no end.
    """
    values: dict[str, str] = {}
    lines = iter(enumerate(text.split("\n"), start=1))
    for number, line in lines:
        if not line.strip():
            continue
        match = ASSIGNMENT.fullmatch(line.removesuffix("\r"))
        if match is None:
            raise _invalid(f"line {number} of the output file is neither name=value nor name<<END")
        name, sign, rest = match.groups()
        values[name] = rest if sign == "=" else _block(lines, name, rest.strip())
    return values


def _block(lines: Iterable[tuple[int, str]], name: str, end: str) -> str:
    content: list[str] = []
    for _, line in lines:
        if end and line.rstrip("\r") == end:
            return "\n".join(content)
        content.append(line)
    raise _invalid(f"output '{name}': its block has no closing line '{end}'")


def parse_set_value(line: str) -> tuple[str, str] | None:
    """Return name and value of a `${setValue(name=value)}` (or `#{…}`) line, else `None`."""
    match = SET_VALUE.fullmatch(line.strip())
    return (match[1], match[2]) if match else None


def from_texts(texts: Mapping[str, str], declared: Mapping[str, str]) -> dict[str, Any]:
    """Return a script's outputs, typed: declared ones as declared, others as they read.

    Raises:
        TaskFailure: A declared one is missing or cannot be read as its type; or they are too large.
    """
    values = {name: _from_text(name, text, declared.get(name)) for name, text in texts.items()}
    return checked(values, declared)


def from_result(result: Any, declared: Mapping[str, str]) -> dict[str, Any]:
    """Return a python callable's outputs: a mapping's items, nothing for `None`, else `{"result": value}`.

    Raises:
        TaskFailure: It is not JSON-serialisable, too large, or does not have what was declared.
    """
    if isinstance(result, Mapping):
        return checked(result, declared)
    return checked({} if result is None else {"result": result}, declared)


def checked(values: Mapping[Any, Any], declared: Mapping[str, str]) -> dict[str, Any]:
    """Return `values` as plain JSON containers, checked against the declaration and the size limit.

    Raises:
        TaskFailure: They do not fit; the reason names the output.
    """
    plain = {str(name): _plain(str(name), value, declared.get(name)) for name, value in values.items()}
    for name in declared:
        if name not in plain:
            raise _invalid(f"declared output '{name}' was not set")
    if plain:
        _check_size(plain)
    return plain


def _check_size(values: Mapping[str, Any]) -> None:
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > LIMIT_BYTES:
        raise _invalid(f"outputs too large: {size} bytes, at most {LIMIT_BYTES}")


def _plain(name: str, value: Any, type_name: str | None) -> Any:
    try:
        checked_value = types.check(value, type_name) if type_name else value
        return json.loads(json.dumps(checked_value, allow_nan=False), parse_int=_integer)
    except types.TypeMismatch as error:
        raise _invalid(f"output '{name}': {error}") from error
    except (TypeError, ValueError, RecursionError) as error:
        raise _invalid(f"output '{name}' cannot be written as JSON: {error}") from error


def _integer(text: str) -> int:
    number = int(text) if len(text) <= INTEGER_DIGITS else INTEGER_LIMIT
    if not -INTEGER_LIMIT <= number < INTEGER_LIMIT:
        raise ValueError("an integer needs more than 64 bits")
    return number


def _from_text(name: str, text: str, type_name: str | None) -> Any:
    try:
        return types.from_text(text, type_name) if type_name else types.from_shell(text)
    except types.TypeMismatch as error:
        raise _invalid(f"output '{name}': {error}") from error


def _invalid(reason: str) -> TaskFailure:
    return TaskFailure(reason, error="InvalidOutput")
