"""How values are printed."""

from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrator.cli.commands.masters import ranges
from orchestrator.cli.output import cell, print_json, print_rows


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        ("reason", None, "-"),
        ("online", True, "yes"),
        ("groups", ["a", "b"], "a, b"),
        ("groups", [], "-"),
        ("outputs", {"n": 1}, '{"n": 1}'),
        ("attempt", 2, "2"),
    ],
)
def test_cells_read_as_people_do(column: str, value: Any, text: str) -> None:
    """No Python spelling of `None`, booleans or lists reaches a table."""
    assert cell(column, value) == text


def test_json_times_are_iso_8601_in_utc(capsys: pytest.CaptureFixture[str]) -> None:
    """Times in JSON end with `Z`."""
    print_json({"at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)})

    assert capsys.readouterr().out == '{"at": "2026-01-02T03:04:05Z"}\n'


def test_empty_list_is_an_empty_document_or_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` of nothing is `[]`; a table of nothing is a sentence on standard error."""
    print_rows([], ("id",), as_json=True, empty="none")
    assert capsys.readouterr().out == "[]\n"

    print_rows([], ("id",), as_json=False, empty="none")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "none\n")


@pytest.mark.parametrize(
    ("numbers", "text"), [([], ""), ([5], "5"), ([0, 1, 2, 3], "0-3"), ([0, 1, 3, 5, 6], "0-1, 3, 5-6")]
)
def test_slots_of_a_master_are_written_as_ranges(numbers: list[int], text: str) -> None:
    """Sixty-four numbers in a row say less than the first and the last."""
    assert ranges(numbers) == text
