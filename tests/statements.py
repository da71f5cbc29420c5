"""Owns reading `docs/semantics-tests.md`: the statements of the semantics, and the tests that show them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DOCUMENT = Path(__file__).parents[1] / "docs" / "semantics-tests.md"
TEETH = "## Teeth"

_ROW = re.compile(r"\| (?P<id>\d+\.\d+) \| (?P<says>.+) \| (?P<shown_by>[^|]+) \|")
_TEST = re.compile(r"`(?P<file>[\w/]+\.py)::(?P<name>\w+)`")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One row of the table.

    Attributes:
        line: Where it stands.
        section: Number in the heading above it.
        tests: File below `tests/` and name of each test.
        reason: Why there is no test; empty where there is one.
    """

    line: int
    section: str
    id: str
    says: str
    tests: tuple[tuple[str, str], ...]
    reason: str


def statements() -> Iterator[Statement]:
    """Yield the rows of all tables above the one about mutants.

    Raises:
        AssertionError: A row reads like none.
    """
    section = ""
    text = DOCUMENT.read_text(encoding="utf-8").partition(TEETH)[0]
    for number, line in enumerate(text.splitlines(), start=1):
        if heading := re.match(r"## (\d+)\. ", line):
            section = heading[1]
        if not re.match(r"\| *\d", line):
            continue
        row = _ROW.fullmatch(line)
        assert row is not None, f"{DOCUMENT.name}:{number}: write | id | what holds | shown by |"
        tests = tuple((one["file"], one["name"]) for one in _TEST.finditer(row["shown_by"]))
        rest = _TEST.sub("", row["shown_by"]).strip()
        yield Statement(
            line=number, section=section, id=row["id"], says=row["says"], tests=tests, reason=rest
        )
