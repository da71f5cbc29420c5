"""The table of the semantics and the tests: none that it names is missing, no statement is without one."""

import ast
from collections import Counter
from functools import cache
from itertools import groupby
from pathlib import Path

from tests.statements import DOCUMENT, Statement, statements

TESTS = Path(__file__).parents[1]
SECTIONS = [str(number) for number in range(1, 12)]


@cache
def names_in(file: str) -> frozenset[str]:
    """Return the names of the test functions of a file below `tests/`; of one that is not there none."""
    path = TESTS / file
    if not path.is_file():
        return frozenset()
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return frozenset(node.name for node in body if isinstance(node, ast.FunctionDef))


def place(statement: Statement) -> str:
    """Return where to look."""
    return f"{DOCUMENT.name}:{statement.line}: {statement.id}"


def test_each_test_that_is_named_exists() -> None:
    """Who renames or removes a test sees which statement it showed."""
    missing = [
        f"{place(one)}: there is no {file}::{name}"
        for one in statements()
        for file, name in one.tests
        if name not in names_in(file)
    ]

    assert missing == []


def test_each_statement_has_a_test_or_is_open_with_a_reason() -> None:
    """`open: why`, and never both."""
    wrong = [
        place(one)
        for one in statements()
        if (one.reason if one.tests else not one.reason.removeprefix("open: ").strip())
        or not (one.tests or one.reason.startswith("open: "))
    ]

    assert wrong == []


def test_ids_are_unique_and_stand_in_their_sections_in_order() -> None:
    """An id is for ever: what is new gets the next number of its section."""
    found = list(statements())
    repeated = [name for name, number in Counter(one.id for one in found).items() if number > 1]

    assert repeated == []
    assert [section for section, _ in groupby(one.section for one in found)] == SECTIONS
    assert [place(one) for one in found if one.id.partition(".")[0] != one.section] == []
    numbers = [(int(one.section), int(one.id.partition(".")[2])) for one in found]
    assert numbers == sorted(numbers)
