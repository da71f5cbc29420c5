"""Declared types."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.types import TYPES, TypeMismatch, check, from_shell, from_text, storable, unstorable


@pytest.mark.parametrize(
    ("value", "type_name", "expected"),
    [
        ("x", "string", "x"),
        (3, "integer", 3),
        (3, "float", 3.0),
        (2.5, "float", 2.5),
        (False, "boolean", False),
        ("2026-11-01", "date", "2026-11-01"),
        (date(2026, 11, 1), "date", "2026-11-01"),
        ((1, 2), "list", [1, 2]),
        ({"a": 1}, "map", {"a": 1}),
    ],
)
def test_fitting_value_is_taken(value: Any, type_name: str, expected: Any) -> None:
    """Each type takes its own values, ready for JSON."""
    assert check(value, type_name) == expected


@pytest.mark.parametrize(
    ("value", "type_name"),
    [
        (3, "string"),
        ("3", "integer"),
        (True, "integer"),
        (3.0, "integer"),
        (2**63, "integer"),
        (float("nan"), "float"),
        (True, "float"),
        (1, "boolean"),
        ("2026-13-01", "date"),
        (20261101, "date"),
        ("ab", "list"),
        ({1: 2}, "map"),
        ("x", "text"),
    ],
)
def test_other_value_is_refused(value: Any, type_name: str) -> None:
    """No guessing: text is no number, a boolean is no integer."""
    with pytest.raises(TypeMismatch):
        check(value, type_name)


def test_message_names_types_but_not_the_value() -> None:
    """The value may be a secret."""
    with pytest.raises(TypeMismatch, match=r"^expected an integer, got string$") as caught:
        check("hunter2", "integer")

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "type_name", "expected"),
    [
        ("007", "string", "007"),
        ("007", "integer", 7),
        ("1e3", "float", 1000.0),
        ("TRUE", "boolean", True),
        ("2026-11-01", "date", "2026-11-01"),
        ("[1, 2]", "list", [1, 2]),
        ('{"a": 1}', "map", {"a": 1}),
    ],
)
def test_text_is_read_by_the_declared_type(text: str, type_name: str, expected: Any) -> None:
    """What `-p NAME=VALUE` means where a type is declared."""
    assert from_text(text, type_name) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("42", 42),
        ("-1.5", -1.5),
        ("true", True),
        ("007", "007"),
        ("True", "True"),
        ("1e999", "1e999"),
        ("", ""),
    ],
)
def test_shell_value_becomes_a_number_only_if_it_reads_exactly_as_one(text: str, expected: Any) -> None:
    """`007` stays text; so does what no number can hold."""
    assert from_shell(text) == expected
    assert type(from_shell(text)) is type(expected)


@settings(deadline=None)  # the machine may be busy
@given(st.text(), st.sampled_from(TYPES))
def test_any_text_is_read_or_refused(text: str, type_name: str) -> None:
    """No text brings another exception."""
    from_shell(text)
    try:
        value = from_text(text, type_name)
    except TypeMismatch:
        return
    assert check(value, type_name) == value


@pytest.mark.parametrize(
    "value", [{1, 2}, [float("inf")], {"a": [b"x"]}, 2**70, {1: "a"}, "\0", {"\ud800": 1}]
)
def test_value_that_json_cannot_hold_is_refused(value: Any) -> None:
    """Rows hold JSON values only."""
    with pytest.raises(TypeMismatch):
        storable(value)


@pytest.mark.parametrize("text", [str(2**63), "9" * 5000])
def test_integer_beyond_64_bits_is_told_the_limits(text: str) -> None:
    """A declared integer that is too large is no "text instead of an integer"."""
    with pytest.raises(TypeMismatch, match="expected an integer between -9223372036854775808 and"):
        from_text(text, "integer")


def test_every_part_that_cannot_be_stored_has_its_place() -> None:
    """A message can point at it."""
    value = {"a": [1, float("nan")], "b": {"c": 2**64}, "d": "fine"}

    assert sorted(path for path, _ in unstorable(value)) == [("a", 1), ("b", "c")]
