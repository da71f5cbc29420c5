"""Reading YAML without trusting it."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.authoring.document import MAX_DEPTH, line_of, plain, read_documents, read_scalar
from orchestrator.authoring.durations import seconds, seconds_above_zero
from orchestrator.errors import DefinitionError


def only(text: str) -> Any:
    """Return the only document of `text`."""
    (document,) = read_documents(text)
    return plain(document)


def test_scalars_follow_the_core_rules_of_yaml_1_2() -> None:
    """What YAML 1.1 would turn into booleans, sexagesimals, octals and dates stays text."""
    assert only("[no, on, 12:30, 007, 2026-11-01, 1_000]") == [
        "no",
        "on",
        "12:30",
        "007",
        "2026-11-01",
        "1_000",
    ]
    assert only("[true, ~, 1, -2.5, 1e3, 0x1f, '1', \"true\"]") == [
        True,
        None,
        1,
        -2.5,
        1000.0,
        31,
        "1",
        "true",
    ]


def test_several_documents_anchors_and_merges() -> None:
    """`---` separates documents; aliases repeat, `<<` merges without overriding."""
    text = "a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\n---\nc: *x"
    with pytest.raises(DefinitionError, match="names nothing"):
        read_documents(text)

    assert only(text.split("---", maxsplit=1)[0]) == {"a": {"p": 1, "q": 2}, "b": {"q": 3, "p": 1}}


def test_every_value_knows_its_line() -> None:
    """Keys and items have the line they stand in; what has none takes its container's."""
    (document,) = read_documents("a: 1\nb:\n  - x\n  - c: 2\n    d: 3\n")

    assert line_of(document, ["b", 1, "d"]) == 5
    assert line_of(document, ["b", 0]) == 3
    assert line_of(document, ["b", 1, "missing"]) == 4
    assert line_of(document, []) == 1


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("a: 1\na: 2", "'a' stands twice, first in line 1", 2),
        ("a: !!binary aGk=", "tag", 1),
        ("a: !!python/object:os.system x", "tag", 1),
        ("1: a", "key must be text", 1),
        ("? [a]\n: b", "key must be text", 1),
        ("a: [1,", "not YAML", 2),
        ("a: *x", "names nothing", 1),
        ("&a [*a]", "names nothing", 1),
        ("<<: 3", "merges maps", 1),
        ("a: \0", "not YAML", None),
        ("[" * (MAX_DEPTH + 1), "nested deeper", 1),
    ],
)
def test_what_has_no_place_in_a_definition_is_one_clear_fault(
    text: str, message: str, line: int | None
) -> None:
    """Odd YAML names its line; it never runs code and never raises anything else."""
    with pytest.raises(DefinitionError, match=message) as caught:
        read_documents(text, "x.yaml")

    (fault,) = caught.value.faults
    assert (fault.file, fault.line) == ("x.yaml", line)


def test_aliases_that_would_explode_are_refused_before_they_do() -> None:
    """Each level repeats the one before ten times: a thousand million laughs in a few lines."""
    levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 10)]

    with pytest.raises(DefinitionError, match="aliases are written out"):
        read_documents("\n".join(["l0: &l0 [ha, ha]", *levels]))


@settings(deadline=None)  # the machine may be busy
@given(st.text(alphabet=st.sampled_from("ab:-?[]{}&*!|>'\"%@`#~,.<0\n \t\\x")) | st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text brings another exception."""
    try:
        read_documents(text)
    except DefinitionError as error:
        assert error.faults  # noqa: PT017 - either outcome is right
    read_scalar(text)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("10s", 10),
        ("5m", 300),
        ("1h30m", 5400),
        ("2d", 172_800),
        ("1.5h", 5400),
        (7, 7),
        (0.5, 0.5),
        ("1h 5s", 3605),
    ],
)
def test_durations(written: Any, expected: float) -> None:
    """Units or seconds."""
    assert seconds(written) == expected


@pytest.mark.parametrize("written", [0, "0s", 0.0, "0h0m", -1, "5"])
def test_limit_of_nothing_is_refused(written: Any) -> None:
    """Where 0 could be taken for "no limit" or for "at once", neither is guessed."""
    with pytest.raises(ValueError, match=r"must be longer than 0|duration"):
        seconds_above_zero(written)
    assert seconds_above_zero("1s") == 1


@pytest.mark.parametrize(
    "written", ["", "5", "5 minutes", "m", "-1s", -1, True, None, "30m1h", "99999d", [1]]
)
def test_what_is_no_duration_is_refused(written: Any) -> None:
    """No guessing at units or order."""
    with pytest.raises(ValueError, match="duration"):
        seconds(written)
