"""How values are printed."""

import sys
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest

from orchestrator.cli.commands.masters import ranges
from orchestrator.cli.output import cell, plain_value, print_json, print_rows, print_table


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


class Terminal(StringIO):
    """Standard output that is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_data_in_a_table_is_shown_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Brackets are no markup: they are neither swallowed nor a fault."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "120")

    print_table(
        [{"name": "load[a]", "outputs": {"x": "see [/etc]", "y": [None]}}], ["name", "outputs"], empty=""
    )

    assert 'load[a]  {"x": "see [/etc]", "y": [null]}' in terminal.getvalue()


@pytest.mark.parametrize(
    ("value", "text"),
    [("late", "late"), (True, "true"), (None, "null"), ([1], "[1]"), ({"a": "[b]"}, '{"a": "[b]"}')],
)
def test_outputs_are_said_as_they_are(value: Any, text: str) -> None:
    """A text is itself, also under a name like `ended_at`; the rest is JSON."""
    assert plain_value(value) == text
