"""Owns what the SDK's YAML draws in from outside: files, the environment, other workflows' files."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.authoring.document import MAX_TEXT_BYTES
from orchestrator.importing.findings import Reporter

WORKFLOW = re.compile(r'\$WORKFLOW\{"([^"\n]*)"\}')
_FILE = re.compile(r'\$FILE\{"([^"\n]*)"\}')
_ENVIRONMENT = re.compile(r"\$ENV\{([^{}\n]*)\}")
_CONFIGURATION = re.compile(r"\$\{CONFIG\.([^{}\n]*)\}")
_TYPED = re.compile(r"([A-Z]+)\((.*)\)", re.DOTALL)
_TYPES = (
    "VARCHAR",
    "INTEGER",
    "LONG",
    "FLOAT",
    "DOUBLE",
    "DATE",
    "TIME",
    "TIMESTAMP",
    "BOOLEAN",
    "LIST",
    "FILE",
)
_NOT_OURS = frozenset({"project_name", "project", "user", "tenant"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What a file may draw in.

    Attributes:
        folder: The file's own; paths are relative to it, then to the working directory.
        environment: What `$ENV{…}` sees.
    """

    folder: Path
    environment: Mapping[str, str]

    def find(self, path: str) -> Path:
        """Return where a path of the file leads."""
        inside = self.folder / path
        return inside if inside.exists() else Path(path)


def with_outside(value: Any, outside: Outside, report: Reporter, field: str = "") -> Any:
    """Return `value` with the tokens in all its texts replaced; a token that leads nowhere is a gap."""
    match value:
        case str():
            return _text(value, outside, report, field or None)
        case list():
            return [with_outside(one, outside, report, field) for one in value]
        case dict():
            return {
                key: one if key in _NOT_OURS else with_outside(one, outside, report, field or str(key))
                for key, one in value.items()
            }
        case _:
            return value


def typed_parts(value: Any) -> tuple[str, Any]:
    """Return type and value of what `input_params` holds: `INTEGER(3)`, or a plain value."""
    match = _TYPED.fullmatch(value) if isinstance(value, str) else None
    if match and match[1] in _TYPES:
        return match[1], match[2].strip()
    return "VARCHAR", value


def workflow_files(text: str, outside: Outside) -> Iterator[tuple[str, Path]]:
    """Yield token and file of each workflow that a YAML text names by its file."""
    for match in WORKFLOW.finditer(text):
        yield match[0], outside.find(match[1])


def _text(text: str, outside: Outside, report: Reporter, field: str | None) -> str:
    if text.startswith("$FILE"):
        return _content(text, outside, report, field)
    text = _ENVIRONMENT.sub(lambda match: _variable(match, outside, report, field), text)
    if found := _CONFIGURATION.search(text):
        report.gap(field, f"{found[0]} comes from the SDK's configuration; write its value")
    return text


def _content(text: str, outside: Outside, report: Reporter, field: str | None) -> str:
    match = _FILE.fullmatch(text.strip())
    if match is None:
        report.gap(field, f"'{text[:60]}' must be $FILE{{\"path\"}} and nothing else")
        return text
    try:
        path = outside.find(match[1])
        if path.stat().st_size > MAX_TEXT_BYTES:
            report.gap(field, f"{match[1]} is larger than {MAX_TEXT_BYTES} bytes")
            return text
        return path.read_text(encoding="utf-8")
    except OSError as error:
        report.gap(field, f"{match[1]} cannot be read: {error.strerror}")
    except ValueError:  # no UTF-8, or no path at all
        report.gap(field, f"{match[1][:60]!r} is no text file in UTF-8")
    return text


def _variable(match: re.Match[str], outside: Outside, report: Reporter, field: str | None) -> str:
    value = outside.environment.get(match[1])
    if value is None:
        report.gap(field, f"{match[0]}: the environment has no '{match[1]}'; set it for this command")
        return match[0]
    report.note(field, f"{match[0]} was replaced by its present value, as the SDK does when it submits")
    return value
