"""Owns references `${name}` and `${task.name}`: finding them, resolving them, limits of what comes out."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from orchestrator.core.outputs import whole
from orchestrator.errors import UnresolvedParameter

MAX_INPUT_BYTES = 1024 * 1024
MAX_SHELL_VALUE_BYTES = 120 * 1024

# `$${` is the text `${`. Whatever else follows `${` is matched too, so that it is a fault and not text.
_REFERENCE = re.compile(r"\$\$\{|\$\{([^{}]*)\}|(\$\{)")
_NAME = re.compile(r"[\w-]+(?:\.[\w-]+)*(?:\.\*)?")
_SHELL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REFUSED_SHELL_NAMES = re.compile(r"PATH|LD_.*|BASH_ENV|IFS|PYTHON.*|ORCHESTRATOR_.*")


class Lookup(Protocol):
    """Where references get their values from."""

    def value(self, path: str) -> Any:
        """Return the value of `name`, `task.name` or a path into it; LookupError if there is none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a reference can see.

    Attributes:
        names: Visible values by bare name, after precedence (`visible`).
        outputs: Outputs of upstream tasks, by task: what `${task.name}` means.
    """

    names: Mapping[str, Any]
    outputs: Mapping[str, Mapping[str, Any]]

    def value(self, path: str) -> Any:
        """Return what `path` names: `task.output` before a visible name, then members of maps and lists.

        `task.*` is all that a task gave: its only output `result`, else all outputs as a map, or nothing.

        Raises:
            LookupError: Nothing has this name.
        """
        first, *rest = path.split(".")
        if rest == ["*"]:
            return whole(self.outputs[first])
        if rest and rest[0] in self.outputs.get(first, {}):
            return _member(self.outputs[first][rest[0]], rest[1:])
        return _member(self.names[first], rest)


def references(value: Any) -> set[str]:
    """Return the paths of all references in the texts of `value`, in lists and maps at any depth.

    Raises:
        UnresolvedParameter: A text holds a `${` that begins no reference.
    """
    found: set[str] = set()
    for text in texts(value):
        for match in _REFERENCE.finditer(text):
            if match[0] != "$${":
                found.add(_path(match))
    return found


def whole_reference(text: str) -> str | None:
    """Return the path of a text that is one reference and nothing else, which keeps its value's type."""
    whole = _REFERENCE.fullmatch(text)
    return whole[1] if whole and whole[0] != "$${" else None


def resolve(value: Any, lookup: Lookup) -> Any:
    """Return `value` with its references replaced; a text that is one reference takes the value and its type.

    Text that comes in through a reference is never read again for references.

    Args:
        value: A text, or lists and maps of texts, at any depth; other values stay as they are.
        lookup: Where values come from.

    Raises:
        UnresolvedParameter: A reference has no value; the message names it.
    """
    match value:
        case str():
            return _resolve_text(value, lookup)
        case list() | tuple():
            return [resolve(one, lookup) for one in value]
        case Mapping():
            return {key: resolve(one, lookup) for key, one in value.items()}
        case _:
            return value


def visible(layers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the values by name, the first layer winning; an empty value of the first layer gives way.

    Args:
        layers: In order of precedence: the task's own `params`, upstream outputs, start parameters, workflow
            parameters, environment, built-ins.
    """
    merged: dict[str, Any] = {}
    for layer in reversed(layers[1:]):
        merged.update(layer)
    for name, value in layers[0].items() if layers else ():
        if name not in merged or not _is_empty(value):
            merged[name] = value
    return merged


def as_text(value: Any) -> str:
    """Return `value` as text: text as it is, lists and maps as JSON, true and false in small letters."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def is_shell_name(name: str) -> bool:
    """Return whether a shell may get a parameter of this name: an identifier that steers no program."""
    return bool(_SHELL_NAME.fullmatch(name)) and not _REFUSED_SHELL_NAMES.fullmatch(name)


def check_size(values: Mapping[str, Any], *, as_environment: bool) -> None:
    """Return if resolved inputs are within the limits.

    Args:
        values: Everything that goes to the worker, by name.
        as_environment: Whether each value must also fit into an environment variable.

    Raises:
        UnresolvedParameter: They are not; the message begins with `inputs too large`.
    """
    total = 0
    for name, value in values.items():
        size = len(as_text(value).encode(errors="surrogatepass"))
        total += size + len(name)
        if as_environment and size > MAX_SHELL_VALUE_BYTES:
            raise UnresolvedParameter(
                f"inputs too large: '{name}' has {size} bytes, a shell value at most {MAX_SHELL_VALUE_BYTES}"
            )
    if total > MAX_INPUT_BYTES:
        raise UnresolvedParameter(f"inputs too large: {total} bytes in all, at most {MAX_INPUT_BYTES}")


def texts(value: Any) -> Iterator[str]:
    """Yield every text in `value`, in lists and values of maps at any depth."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case str() as text:
                yield text
            case list() | tuple() as items:
                waiting.extend(items)
            case Mapping() as members:
                waiting.extend(members.values())


def _resolve_text(text: str, lookup: Lookup) -> Any:
    whole = _REFERENCE.fullmatch(text)
    if whole and whole[0] != "$${":
        return _found(_path(whole), lookup)
    return _REFERENCE.sub(lambda match: _embedded(match, lookup), text)


def _embedded(match: re.Match[str], lookup: Lookup) -> str:
    return "${" if match[0] == "$${" else as_text(_found(_path(match), lookup))


def _path(match: re.Match[str]) -> str:
    path = match[1] or ""
    if not _NAME.fullmatch(path):
        raise UnresolvedParameter(
            f"'{match[0]}' is not a reference; write ${{name}} or ${{task.name}}, or $${{ for the text ${{"
        )
    return path


def _found(path: str, lookup: Lookup) -> Any:
    try:
        return lookup.value(path)
    except LookupError:
        raise UnresolvedParameter(f"${{{path}}} has no value") from None


def _member(value: Any, path: Sequence[str]) -> Any:
    for name in path:
        match value:
            case Mapping():
                value = value[name]
            case list() | tuple() if name.isdecimal():
                value = value[int(name)]
            case _:
                raise LookupError(name)
    return value


def _is_empty(value: Any) -> bool:
    return value is None or value == ""
