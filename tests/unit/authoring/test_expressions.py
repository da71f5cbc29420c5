"""Expressions and their limits."""

import subprocess
import sys
from typing import Any

import pytest

from orchestrator.authoring.expressions import Allowance, ExpressionFault, evaluate, holds, parse
from orchestrator.core.parameters import Scope
from orchestrator.errors import UnresolvedParameter

SCOPE = Scope(names={"rows": 3, "region": "eu", "shops": [1, 2]}, outputs={"my-task": {"n": 5}})


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("${rows} > 2", True),
        ("rows > 2", True),
        ("${my-task.n} == 5 && region == 'eu'", True),
        ("shops.all(x, x > 1)", False),
        ("shops.filter(x, x > 1).map(x, x * 2) == [4]", True),
        ("size(${shops}) + ${rows}", 5),
    ],
)
def test_references_are_typed_variables(source: str, expected: Any) -> None:
    """`${name}` and the bare name are the value itself, not its text."""
    assert evaluate(parse(source), SCOPE) == expected


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("rows >", "not CEL: line and column 1:7"),
        ("x" * 1001, "at most 1000 characters"),
        ("shops.all(x, shops.exists(y, y == x))", "inside a macro"),
        ("shops.all(x, (shops.exists(y, y == x)))", "inside a macro"),
        ("'${region}' == 'eu'", "inside quotes"),
        ("${a b} > 1", "not a reference"),
    ],
)
def test_what_breaks_a_limit_is_refused_before_it_runs(source: str, message: str) -> None:
    """Parsing alone finds it, so validation does."""
    with pytest.raises(ExpressionFault, match=message):
        parse(source)


@pytest.mark.parametrize(
    "source", ["${gone} > 1", "gone > 1", "1 / 0 > 1", "region > 1", "nothing(1)", "rows.x.y"]
)
def test_evaluation_that_fails_names_the_expression(source: str) -> None:
    """A missing variable, a wrong type, an unknown function: one kind of error."""
    with pytest.raises(UnresolvedParameter):
        holds(parse(source), SCOPE)


def test_value_that_is_no_truth_is_refused() -> None:
    """Nothing is true by being there."""
    with pytest.raises(UnresolvedParameter, match="neither true nor false"):
        holds(parse("rows"), SCOPE)


@pytest.mark.parametrize("value", ["x" * 70_000, list(range(10_001))])
def test_input_that_would_hold_the_master_is_refused(value: Any) -> None:
    """64 KiB and 10,000 elements at most."""
    with pytest.raises(UnresolvedParameter, match="inputs too large"):
        holds(parse("size(big) > 1"), Scope(names={"big": value}, outputs={}))


@pytest.mark.parametrize(
    "source",
    [
        "big.filter(x, x > 3).size() > 1",
        "big.all(x, (big + big).size() > 1)",
        "big.all(x, x in big)",
        f"({' + '.join(['big'] * 30)}).size() > 1",
    ],
)
def test_copies_of_long_lists_are_refused_before_they_hold_the_master(source: str) -> None:
    """One filter over 10,000 elements took six seconds, in which no lease was renewed."""
    long = Scope(names={"big": list(range(10_000))}, outputs={})
    short = Scope(names={"big": list(range(4, 404))}, outputs={})

    with pytest.raises(UnresolvedParameter, match="would take too long over a list of 10000 elements"):
        holds(parse(source), long)
    assert holds(parse(source), short)


@pytest.mark.parametrize("macro", ["all(x, x >= 0)", "exists(x, x > 9998)"])
def test_questions_about_long_lists_are_answered(macro: str) -> None:
    """What copies nothing may look at 10,000 elements."""
    assert holds(parse(f"big.{macro}"), Scope(names={"big": list(range(10_000))}, outputs={}))


def test_lists_inside_what_a_task_gave_are_reckoned_with() -> None:
    """The list stands in a map: it is as long there."""
    scope = Scope(names={"answer": {"rows": list(range(10_000))}}, outputs={})

    with pytest.raises(UnresolvedParameter, match="a list of 10000 elements"):
        holds(parse("answer.rows.filter(x, x > 3).size() > 1"), scope)


@pytest.mark.parametrize(
    "source",
    [
        r"words.all(x, x.matches('\\w+'))",
        r"words.all(x, x.matches(r'\w+'))",
        "words.all(x, x.matches(${pattern}))",
        "words.all(x, x.matches(pattern + 'x'))",
        "words.all(x, x.matches('[a-z]{1,500}'))",
        "${text}.matches(${text}) || words.all(x, ${text}.matches('(a+b)+'))",
        r"words.exists(x, 'word'.matches('(\\w{1,50}){1,9}'))",
        " || ".join(["text.matches(text + text)"] * 3),
    ],
)
def test_regular_expressions_that_would_hold_the_master_are_refused(source: str) -> None:
    """Each is compiled for each element: a word of any letters over 10,000 took more than two seconds."""
    names = {"words": ["word"] * 3000, "pattern": r"\w+", "text": "a" * 10_000}

    with pytest.raises(UnresolvedParameter, match="with its regular expressions would take too long"):
        holds(parse(source), Scope(names=names, outputs={}))


@pytest.mark.parametrize(
    "source",
    [
        "words.all(x, x.matches('^[a-z]+$'))",
        r"words.all(x, x.matches('^\\d{4}-\\d{2}$') || true)",
        "rows.all(x, x.name.matches('^row_'))",
        "patterns.exists(x, 'name'.matches(x))",
        r"text.matches('\\w+') && text.matches(${pattern})",
        "words.all(x, x != 'x.matches(y)')",
    ],
)
def test_usual_questions_with_regular_expressions_are_answered(source: str) -> None:
    """A few hundred elements, or one text of any length."""
    names = {
        "words": ["word"] * 500,
        "rows": [{"name": "row_1"}] * 500,
        "patterns": ["a.*b", r"\w+"],
        "pattern": "a+$",
        "text": "a" * 30_000,
    }

    assert holds(parse(source), Scope(names=names, outputs={}))


def test_expressions_of_one_task_share_what_they_may_cost() -> None:
    """Each case of a switch was cheap enough, and two dozen held the master for seconds."""
    scope = Scope(names={"big": list(range(900))}, outputs={})
    allowance = Allowance()
    question = parse("big.filter(x, x < 0).size() > 0")

    assert not holds(question, scope, allowance)
    with pytest.raises(UnresolvedParameter, match="with the cases before it would take too long"):
        holds(question, scope, allowance)
    assert not holds(question, scope)


def test_language_comes_without_the_editor_of_its_package() -> None:
    """Its package imports a program for terminals, 0.15 s for everybody who has an expression to check."""
    question = "import sys; from orchestrator.authoring import expressions; expressions.parse('1 < 2');"
    seen = subprocess.run(
        [sys.executable, "-c", f"{question} print({{'cel', 'prompt_toolkit', 'typer'}} & {{*sys.modules}})"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert seen.stdout.strip() == "set()"
