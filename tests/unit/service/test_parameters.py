"""Start parameters: from texts and values to checked values."""

from typing import Any

import pytest

from orchestrator.core.definition import ParameterDefinition, TaskDefinition, WorkflowDefinition
from orchestrator.errors import UserError
from orchestrator.service.parameters import parameters_from_texts, parameters_from_values, read_pairs

P = ParameterDefinition


def a_workflow(**params: ParameterDefinition) -> WorkflowDefinition:
    """Return a workflow that declares `params`."""
    return WorkflowDefinition(name="nightly", tasks=(TaskDefinition(name="a", type="noop"),), params=params)


@pytest.mark.parametrize(
    ("declared", "text", "value"),
    [
        (P(type="integer"), "42", 42),
        (P(type="string"), "42", "42"),
        (P(type="boolean"), "true", True),
        (P(type="list"), '["a", 1]', ["a", 1]),
        (P(type="date"), "2026-01-02", "2026-01-02"),
        (P(default="x"), "42", 42),
        (P(default="x"), "2.5", 2.5),
        (P(default="x"), "true", True),
        (P(default="x"), "null", None),
        (P(default="x"), "", ""),
        (P(default="x"), "2026-01-02", "2026-01-02"),
        (P(default="x"), "[a, b]", "[a, b]"),
        (P(default=["x"]), '["a"]', ["a"]),
        (P(default="x"), "no", "no"),
        (P(default="x"), "12:30", "12:30"),
        (P(default="x"), "a: b: c", "a: b: c"),
        (P(default="x"), str(2**63 - 1), 2**63 - 1),
        (P(default="x"), "a=b", "a=b"),
    ],
)
def test_text_is_read_by_the_declared_type_else_as_a_scalar(
    declared: ParameterDefinition, text: str, value: Any
) -> None:
    """`-p` values are read by the declared type, else as YAML scalars; a list stays a list."""
    texts = read_pairs([f"p={text}"])

    assert parameters_from_texts(a_workflow(p=declared), texts) == {"p": value}


@pytest.mark.parametrize(
    ("declared", "text"),
    [
        (P(type="integer"), str(2**63)),
        (P(type="integer"), "-" + "9" * 5000),
        (P(default="x"), str(2**63)),
        (P(type="list"), f"[{2**63}]"),
        (P(default="x"), ".nan"),
        (P(type="float"), "1e400"),
        (P(type="string"), "\0"),
    ],
)
def test_value_that_no_database_holds_is_refused_by_name(declared: ParameterDefinition, text: str) -> None:
    """The message names the parameter and the limit, whether it came as a text or as a value."""
    limit = "between -9223372036854775808 and 9223372036854775807|infinity|finite|NUL"
    with pytest.raises(UserError, match=f"parameter 'p': .*({limit})"):
        parameters_from_texts(a_workflow(p=declared), {"p": text})


@pytest.mark.parametrize("value", [2**63, [{"a": -(2**63) - 1}], float("nan"), {"a": {1, 2}}])
def test_python_value_that_no_database_holds_is_refused_by_name(value: Any) -> None:
    """`submit(limit=2**63)` is told before anything is stored."""
    with pytest.raises(UserError, match=r"parameter 'p': (an integer lies|infinity|expected text)"):
        parameters_from_values(a_workflow(p=P()), {"p": value})


@pytest.mark.parametrize("text", ["novalue", "=3", ""])
def test_text_without_a_name_or_a_value_is_refused(text: str) -> None:
    """The message says what is expected."""
    with pytest.raises(UserError, match="NAME=VALUE"):
        read_pairs([text])


def test_name_given_twice_is_refused() -> None:
    """Which one is meant cannot be known."""
    with pytest.raises(UserError, match="twice"):
        read_pairs(["a=1", "a=2"])


def test_every_fault_is_named_at_once() -> None:
    """An undeclared name (with the nearest one), a wrong type and a missing value come in one message."""
    workflow = a_workflow(region=P(default="eu"), limit=P(type="integer"), day=P(type="date", required=True))

    with pytest.raises(UserError) as refused:
        parameters_from_texts(workflow, {"regoin": "us", "limit": "many"})

    message = str(refused.value)
    assert "'regoin'" in message
    assert "'region'" in message
    assert "'limit'" in message
    assert "'day' is required" in message


def test_value_of_another_type_is_refused_without_being_quoted() -> None:
    """A value may be a secret: the message names types only."""
    with pytest.raises(UserError) as refused:
        parameters_from_values(a_workflow(limit=P(type="integer")), {"limit": "hunter2"})

    assert "hunter2" not in str(refused.value)


def test_workflow_without_parameters_says_so() -> None:
    """There is nothing to suggest."""
    with pytest.raises(UserError, match="declares no parameters"):
        parameters_from_texts(a_workflow(), {"a": "1"})
