"""How large a definition may be: each limit is a fault with its number, and the last that fits is taken."""

import pytest

from orchestrator.authoring import names
from orchestrator.authoring.load import load_text
from orchestrator.errors import DefinitionError

TWO_TASKS = "workflow: {name: w}\ntasks: [{name: a, type: noop}, {name: b, type: noop, needs: [a]}]\n"


@pytest.mark.parametrize(
    ("limit", "fits", "message"),
    [
        ("MAX_TASKS", 2, "w.yaml:2: field 'tasks': a workflow has at most 1 tasks, this one 2"),
        ("MAX_NEEDS", 1, "field 'needs': a workflow has at most 0 edges, this one 1"),
        ("MAX_DOCUMENT_BYTES", 10_000, "a definition has at most 9 bytes, this one "),
    ],
)
def test_what_is_larger_than_a_limit_is_refused(
    monkeypatch: pytest.MonkeyPatch, limit: str, fits: int, message: str
) -> None:
    """With the limit and the size: the limits themselves are too high for a test of milliseconds."""
    monkeypatch.setattr(names, limit, fits)
    assert load_text(TWO_TASKS, "w.yaml")

    monkeypatch.setattr(names, limit, fits - 1 if limit != "MAX_DOCUMENT_BYTES" else 9)
    with pytest.raises(DefinitionError) as caught:
        load_text(TWO_TASKS, "w.yaml")

    assert message in str(caught.value)


@pytest.mark.parametrize("text", [
    "workflow: {{name: {0}}}\ntasks: [{{name: a, type: noop}}]",
    "workflow: {{name: w}}\ntasks: [{{name: {0}, type: noop}}]",
])  # fmt: skip
def test_names_have_up_to_a_hundred_letters(text: str) -> None:
    """Those of workflows and those of tasks."""
    assert load_text(text.format("x" * 100))
    with pytest.raises(DefinitionError, match="a name has 1 to 100 letters"):
        load_text(text.format("x" * 101))


def test_the_limits_are_those_of_the_documentation() -> None:
    """A hundred thousand tasks, a million edges, 16 MiB."""
    assert (names.MAX_TASKS, names.MAX_NEEDS, names.MAX_DOCUMENT_BYTES) == (100_000, 1_000_000, 16 * 2**20)
