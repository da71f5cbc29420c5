"""Owns reading the fields of a foreign map: each in its type, and at the end whatever nobody has asked for."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.importing.findings import Reporter

LARGEST_NUMBER = 10**9
_EMPTY: tuple[Any, ...] = (None, "", False, 0, "0", -1, "-1", [], {}, "[]", "{}")


class Fields:
    """A map of another system's, whose keys are taken one by one.

    Args:
        values: The map; anything else is a gap and counts as an empty one.
        report: Where faults go.
        prefix: Path of the map inside its task or workflow, for messages.
    """

    def __init__(self, values: Any, report: Reporter, prefix: str = "") -> None:
        self.report = report
        self._prefix = prefix
        self._taken: set[str] = set()
        values = _parsed(values)
        if not isinstance(values, Mapping):
            if values not in (None, ""):
                report.gap(prefix or None, f"must be a map, not {_kind(values)}")
            values = {}
        self._values: Mapping[str, Any] = values

    def __contains__(self, name: str) -> bool:
        return self._values.get(name) not in (None, "")

    def path(self, name: str) -> str:
        """Return how messages call the field `name`."""
        return f"{self._prefix}.{name}" if self._prefix else name

    def any(self, *names: str) -> Any:
        """Return the first of these fields that is there and not null, as it is."""
        self._taken.update(names)
        return next((self._values[name] for name in names if self._values.get(name) is not None), None)

    def text(self, *names: str) -> str:
        """Return a field's text, without a carriage return before a line feed; a number becomes its text."""
        value = self.any(*names)
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int | float):
            return str(value)
        if value is not None and not isinstance(value, str):
            self.report.gap(self.path(names[0]), f"must be text, not {_kind(value)}")
        return value.replace("\r\n", "\n") if isinstance(value, str) else ""

    def word(self, *names: str) -> str:
        """Return a field's text in capitals, as the other system writes its constants."""
        return self.text(*names).strip().upper()

    def number(self, *names: str) -> int:
        """Return a field's whole number, 0 if it is missing; the other system also writes them as text."""
        value = self.any(*names)
        text = str(value).strip() if isinstance(value, int | str) and not isinstance(value, bool) else ""
        if value in (None, ""):
            return 0
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdecimal() and len(digits) < len(str(LARGEST_NUMBER))):
            self.report.gap(self.path(names[0]), f"must be a whole number, not {_kind(value)}")
            return 0
        return int(text)

    def items(self, *names: str) -> list[Any]:
        """Return a field's list; a list that stands there as JSON text is read."""
        value = _parsed(self.any(*names))
        if value in (None, ""):
            return []
        if not isinstance(value, list):
            self.report.gap(self.path(names[0]), f"must be a list, not {_kind(value)}")
            return []
        return value

    def maps(self, *names: str) -> "list[Fields]":
        """Return the maps in a field's list."""
        path = self.path(names[0])
        return [Fields(one, self.report, f"{path}[{i}]") for i, one in enumerate(self.items(*names))]

    def inner(self, *names: str) -> "Fields":
        """Return a field's map; a map that stands there as JSON text is read."""
        return Fields(self.any(*names), self.report, self.path(names[0]))

    def skip(self, *names: str) -> None:
        """Leave out fields that say nothing about what runs: numbers of rows, users, times of change."""
        self._taken.update(names)

    def rest(self) -> Iterator[tuple[str, Any]]:
        """Yield the fields with a value that nobody has taken."""
        for name, value in self._values.items():
            if name not in self._taken and not any(_is(value, empty) for empty in _EMPTY):
                yield str(name), value

    def note_rest(self) -> None:
        """Note each field with a value that nobody has taken."""
        for name, _ in self.rest():
            self.report.note(self.path(name), "has no equivalent and is left out")


def _is(value: Any, other: Any) -> bool:
    return type(value) is type(other) and bool(value == other)


def _parsed(value: Any) -> Any:
    if not (isinstance(value, str) and value.lstrip()[:1] in ("{", "[")):
        return value
    try:
        return read_json(value)
    except ValueError:
        return value


def read_json(text: str) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: It is no JSON, nested too deep, or holds what no file can hold; the message says which.
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
        json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} in line {error.lineno}, column {error.colno}") from None
    except UnicodeEncodeError:
        raise ValueError("not JSON: holds half of a surrogate pair") from None
    except RecursionError:
        raise ValueError("not JSON: nested too deep") from None
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from None
    return value


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return f"'{value[:40]}'"
        case list():
            return "a list"
        case _:
            return "a map" if isinstance(value, Mapping) else "nothing"
