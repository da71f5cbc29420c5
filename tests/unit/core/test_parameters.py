"""References, precedence, limits."""

from typing import Any

import pytest

from orchestrator.core.parameters import (
    Scope,
    check_size,
    is_shell_name,
    references,
    resolve,
    visible,
)
from orchestrator.errors import UnresolvedParameter

SCOPE = Scope(
    names={"n": 3, "region": "eu", "rows": [1, 2], "flag": True, "nothing": None, "shop": {"id": 7}},
    outputs={"extract": {"rows": 42, "shops": ["a", "b"]}, "load": {"result": 5}, "empty": {}},
)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("${n}", 3),
        ("${rows}", [1, 2]),
        ("${extract.rows}", 42),
        ("${extract.shops.1}", "b"),
        ("${shop.id}", 7),
        ("${extract.*}", {"rows": 42, "shops": ["a", "b"]}),
        ("${load.*}", 5),
        ("${empty.*}", None),
        ("n=${n} rows=${rows} ${flag}${nothing}", "n=3 rows=[1,2] true"),
        ("$${n} costs $5", "${n} costs $5"),
        ({"a": ["${n}", {"b": "${region}"}]}, {"a": [3, {"b": "eu"}]}),
        (7, 7),
    ],
)
def test_whole_reference_keeps_its_type_and_embedded_is_text(written: Any, expected: Any) -> None:
    """References at any depth; `$${` is the way to write `${`."""
    assert resolve(written, SCOPE) == expected


@pytest.mark.parametrize("path", ["unknown", "extract.unknown", "gone.rows", "gone.*", "shop.id.x", "rows.9"])
def test_unknown_reference_is_named(path: str) -> None:
    """The task fails with the name that has no value."""
    with pytest.raises(UnresolvedParameter, match=r"\$\{" + path.replace(".", r"\.").replace("*", r"\*")):
        resolve(f"x ${{{path}}}", SCOPE)


@pytest.mark.parametrize("written", ["${", "${}", "${a b}", "${a..b}", "${${n}}"])
def test_malformed_reference_is_refused(written: str) -> None:
    """Nothing that begins like a reference is silently text."""
    with pytest.raises(UnresolvedParameter):
        references(written)


def test_values_are_not_read_again_for_references() -> None:
    """Data that looks like a reference stays data."""
    scope = Scope(names={"a": "${b}", "b": 1}, outputs={})

    assert resolve("<${a}>", scope) == "<${b}>"


def test_references_are_found_at_any_depth() -> None:
    """Lists, maps, several in one text; an escaped one is none."""
    assert references({"a": ["${x} ${y.z}", 3], "b": {"c": "$${no}"}}) == {"x", "y.z"}


def test_first_layer_wins_but_gives_way_where_it_is_empty() -> None:
    """Task params win over upstream outputs; an empty one takes the upstream's."""
    params = {"a": "own", "b": "", "c": None, "d": ""}
    outputs, start, built_in = {"a": 1, "b": 2}, {"b": 3, "c": 4}, {"a": 0, "e": 5}

    assert visible([params, outputs, start, built_in]) == {"a": "own", "b": 2, "c": 4, "d": "", "e": 5}


@pytest.mark.parametrize(
    ("name", "expected"),
    [("day", True), ("_x1", True), ("1x", False), ("a-b", False), ("PATH", False), ("LD_PRELOAD", False),
     ("PYTHONPATH", False), ("IFS", False), ("ORCHESTRATOR_X", False), ("PATHS", True)],
)  # fmt: skip
def test_names_that_steer_programs_are_no_parameters(name: str, expected: bool) -> None:  # noqa: FBT001 - a table
    """A parameter may not replace the shell's search path or libraries."""
    assert is_shell_name(name) is expected


def test_too_large_inputs_are_refused() -> None:
    """1 MiB in all, 120 KiB for one shell value."""
    check_size({"a": "x" * 120 * 1024}, as_environment=True)
    with pytest.raises(UnresolvedParameter, match="inputs too large: 'a'"):
        check_size({"a": "x" * (120 * 1024 + 1)}, as_environment=True)
    with pytest.raises(UnresolvedParameter, match="inputs too large"):
        check_size({str(index): "x" * 100_000 for index in range(11)}, as_environment=False)
