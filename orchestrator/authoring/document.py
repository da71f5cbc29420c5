"""Owns reading YAML text into plain values that remember their lines; no text can blow it up or run code."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import yaml

from orchestrator.authoring import scalars
from orchestrator.authoring.scalars import YamlFault
from orchestrator.errors import DefinitionError, Fault

MAX_TEXT_BYTES = 32 * 1024 * 1024
MAX_WEIGHT = 2 * MAX_TEXT_BYTES
MAX_DEPTH = 50
MOST_CONTROL_CHARACTERS = 100

_CONTROL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PLAIN_TAGS = {
    "tag:yaml.org,2002:str": "text",
    "tag:yaml.org,2002:seq": "list",
    "tag:yaml.org,2002:map": "map",
}


class Mapped(dict[str, Any]):
    """A YAML mapping with the line of each key."""

    __slots__ = ("line", "lines")

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.lines: dict[str, int] = {}


class Listed(list[Any]):
    """A YAML sequence with the line of each item."""

    __slots__ = ("line", "lines")

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.lines: list[int] = []


@dataclass(slots=True)
class _Open:
    """A container that is being read.

    `key` is the mapping key that waits for its value; `merges` holds what `<<` brought in.
    """

    value: Mapped | Listed
    anchor: str | None
    weight_before: int
    key: str | None = None
    merges: list[Any] = field(default_factory=list)


def read_documents(text: str, file: str | None = None) -> list[Any]:
    """Return the documents of a YAML text: plain values, maps and lists as `Mapped` and `Listed`.

    Scalars are read by YAML 1.2's core rules: `no`, `on`, `12:30`, `007` and `2026-11-01` are text.

    Raises:
        DefinitionError: It is no YAML, too large, too deep, or holds a tag or key that has no place.
    """
    if len(text) > MAX_TEXT_BYTES:
        raise DefinitionError([Fault(message=f"larger than {MAX_TEXT_BYTES} bytes", file=file)])
    try:
        return list(_Reader().documents(text))
    except YamlFault as fault:
        raise DefinitionError([Fault(message=str(fault), file=file, line=fault.line)]) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = f"not YAML: {error.problem or error.context}"
        raise DefinitionError(
            [Fault(message=message, file=file, line=mark.line + 1 if mark else None)]
        ) from None
    except (yaml.YAMLError, UnicodeError, RecursionError) as error:
        message = f"not YAML: {str(error).splitlines()[0]}" if str(error) else "not YAML"
        raise DefinitionError([Fault(message=message, file=file)]) from None


def read_scalar(text: str) -> Any:
    """Return what `text` means where no type is declared: any YAML value, else the text itself."""
    try:
        documents = read_documents(text)
    except DefinitionError:
        return text
    return plain(documents[0]) if len(documents) == 1 else text


def plain(value: Any) -> Any:
    """Return `value` with ordinary dictionaries and lists in place of those that know their lines."""
    match value:
        case dict():
            return {key: plain(one) for key, one in value.items()}
        case list() | tuple():
            return [plain(one) for one in value]
        case _:
            return value


def control_characters(text: str, file: str | None = None) -> list[Fault]:
    """Return a fault for each line of `text` that holds characters that no YAML file may hold."""
    places = {
        text.count("\n", 0, match.start()) + 1: match[0]
        for match in islice(_CONTROL.finditer(text), MOST_CONTROL_CHARACTERS)
    }
    return [
        Fault(
            message=f"holds the character U+{ord(found):04X}, which no YAML file may hold; leave it out",
            file=file,
            line=line,
        )
        for line, found in places.items()
    ]


def without_control_characters(text: str) -> str:
    """Return `text` without the characters that no YAML file may hold, so that the rest of it can be read."""
    return _CONTROL.sub("", text)


def line_of(value: Any, path: Sequence[str | int]) -> int | None:
    """Return the line where `path` stands in `value`, or that of its nearest container that has one."""
    line = getattr(value, "line", None)
    for part in path:
        match value:
            case Mapped() if part in value.lines:
                line = value.lines[str(part)]
            case Listed() if isinstance(part, int) and part < len(value.lines):
                line = value.lines[part]
            case _:
                return line
        value = value[part]
    return line


class _Reader:
    """Builds values from parser events with a stack of its own: no recursion, and limits at every step."""

    def __init__(self) -> None:
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._weight = 0
        self._root: Any = None

    def documents(self, text: str) -> Iterator[Any]:
        """Yield the value of each document; raises YamlFault and what PyYAML raises."""
        event: Any  # PyYAML's stubs allow for events without marks, which the parser never makes
        for event in yaml.parse(text, Loader=_LOADER):
            line = event.start_mark.line + 1
            match event:
                case yaml.DocumentStartEvent():
                    self._anchors, self._root = {}, None
                case yaml.DocumentEndEvent():
                    yield self._root
                case yaml.ScalarEvent():
                    self._place(scalars.read(event, line), line, event.anchor, len(event.value) + 1)
                case yaml.AliasEvent():
                    self._alias(event.anchor or "", line)
                case yaml.MappingStartEvent():
                    self._open(Mapped(line), event, line)
                case yaml.SequenceStartEvent():
                    self._open(Listed(line), event, line)
                case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                    self._close()

    def _open(self, value: Mapped | Listed, event: Any, line: int) -> None:
        if event.tag not in (None, "!", *_PLAIN_TAGS):
            raise YamlFault(f"the tag {event.tag} has no place here", line)
        if len(self._stack) >= MAX_DEPTH:
            raise YamlFault(f"nested deeper than {MAX_DEPTH} levels", line)
        if self._stack and isinstance(self._stack[-1].value, Mapped) and self._stack[-1].key is None:
            raise YamlFault("a key must be text", line)
        self._stack.append(_Open(value, event.anchor, self._weight))
        self._weigh(1, line)

    def _close(self) -> None:
        closed = self._stack.pop()
        for merged in closed.merges:
            _merge(closed.value, merged)
        weight = self._weight - closed.weight_before
        self._weight = closed.weight_before
        self._place(closed.value, closed.value.line, closed.anchor, weight)

    def _alias(self, anchor: str, line: int) -> None:
        if anchor not in self._anchors:
            raise YamlFault(f"*{anchor} names nothing that is complete before it", line)
        value, weight = self._anchors[anchor]
        self._place(value, line, None, weight)

    def _place(self, value: Any, line: int, anchor: str | None, weight: int) -> None:
        self._weigh(weight, line)
        if anchor is not None:
            self._anchors[anchor] = (value, weight)
        if not self._stack:
            self._root = value
            return
        top = self._stack[-1]
        match top.value:
            case Listed() as items:
                items.append(value)
                items.lines.append(line)
            case Mapped() as members if top.key is None:
                top.key = _key(value, members, line)
            case Mapped() as members:
                _put(top, members, value, line)

    def _weigh(self, weight: int, line: int) -> None:
        self._weight += weight
        if self._weight > MAX_WEIGHT:
            raise YamlFault("too large once its aliases are written out", line)


def _key(value: Any, members: Mapped, line: int) -> str:
    if not isinstance(value, str):
        raise YamlFault(f"a key must be text; quote it: '{value}'", line)
    if value in members:
        raise YamlFault(f"the key '{value}' stands twice, first in line {members.lines[value]}", line)
    if value != "<<":
        members.lines[value] = line
    return value


def _put(top: _Open, members: Mapped, value: Any, line: int) -> None:
    key, top.key = top.key or "", None
    if key != "<<":
        members[key] = value
        return
    merged = value if isinstance(value, Listed) else [value]
    if not all(isinstance(one, Mapped) for one in merged):
        raise YamlFault("<< merges maps only", line)
    top.merges.extend(merged)


def _merge(target: Mapped | Listed, source: Mapped) -> None:
    if isinstance(target, Mapped):
        for key, value in source.items():
            if key not in target:
                target[key] = value
                target.lines[key] = source.lines[key]
