"""Functions and variables of expressions: what cannot be there is found before anything runs."""

import pytest

from orchestrator.authoring.expression_names import FUNCTIONS, MACROS, TYPES, bare_names, unknown_functions
from orchestrator.authoring.expressions import evaluate, parse
from orchestrator.authoring.load import load_text
from orchestrator.core.parameters import Scope
from orchestrator.errors import DefinitionError

NOTHING = Scope(names={}, outputs={})
DAY = "timestamp('2026-11-01T00:00:00Z')"
CALLS = [
    "bytes('a')", "'a'.contains('a')", "double('1')", "duration('1s')", "dyn(1)", "'a'.endsWith('a')",
    *(f"{DAY}.{name}()" for name in sorted(FUNCTIONS) if name.startswith("get")),
    "optional.of(1).hasValue()", "int('1')", "'a'.matches('a')", "optional.none()", "optional.ofNonZeroValue(1)",
    "optional.none().or(optional.of(1))", "optional.none().orValue(1)", "'a'.size()", "'a'.startsWith('a')",
    "string(1)", "type(1)", "uint(1)", "optional.of(1).value()",
]  # fmt: skip


def faults_of(*tasks: str) -> list[str]:
    """Return the faults of a workflow with these tasks and one parameter, `limit`."""
    text = "workflow: {name: w, params: {limit: 3}}\ntasks:\n" + "\n".join(f"  - {task}" for task in tasks)
    try:
        load_text(text, "w.yaml")
    except DefinitionError as error:
        return [str(fault) for fault in error.faults]
    return []


def test_every_function_that_is_let_through_is_there() -> None:
    """The list is the evaluator's, not a wish: each is called, and none is missing from the calls."""
    called = set()
    for source in CALLS:
        expression = parse(source)
        evaluate(expression, NOTHING)
        called |= set(expression.program.functions())

    assert called >= FUNCTIONS
    assert not any(list(unknown_functions(parse(source))) for source in CALLS)


@pytest.mark.parametrize("macro", sorted(MACROS.keys() - {"has"}))
def test_macros_as_the_messages_write_them_can_be_worked_out(macro: str) -> None:
    """What a message recommends is right; the variable that it binds is nobody's."""
    expression = parse(MACROS[macro].replace("list", "[1]"))

    evaluate(expression, NOTHING)
    assert list(bare_names(expression)) == []
    assert list(unknown_functions(expression)) == []


@pytest.mark.parametrize("name", sorted(TYPES - {"optional"}))
def test_names_of_types_are_no_variables(name: str) -> None:
    """`type(x) == int` needs no parameter of that name."""
    expression = parse(f"type(1) == {name}")

    evaluate(expression, NOTHING)
    assert list(bare_names(expression)) == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("len('a') > 1", "there is no function 'len' (did you mean 'size'?)"),
        ("'a'.startswith('b')", "there is no function 'startswith' (did you mean 'startsWith'?)"),
        ("now() > 1", "there is no function 'now'; functions: all, bytes, contains, "),
        ("all([1], x, x > 1)", "'all' is written list.all(x, x > 0)"),
        ("false && foo(1)", "there is no function 'foo'"),
    ],
)
def test_unknown_function_is_told_with_a_guess(source: str, expected: str) -> None:
    """Also where it would not be called: nobody wrote it to be left out."""
    (message,) = (one for one in unknown_functions(parse(source)) if "function" in one or "written" in one)

    assert expected in message


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        (
            "len('a') > 1",
            "w.yaml:3: task 'a', field 'check': there is no function 'len' (did you mean 'size'?)",
        ),
        ("rws > 1", "field 'check': 'rws' names nothing that this task sees (did you mean 'rows'?)"),
        ("${rws} > 1", "field 'check': ${rws} names nothing that this task sees (did you mean 'rows'?)"),
        ("rows > limt", "field 'check': 'limt' names nothing that this task sees (did you mean 'limit'?)"),
    ],
)
def test_fault_in_a_check_has_its_place(check: str, expected: str) -> None:
    """A task that declares outputs has those, its params, the workflow's parameters and built-ins."""
    (fault,) = faults_of(f'{{name: a, type: noop, outputs: {{rows: integer}}, check: "{check}"}}')

    assert expected in fault


def test_all_faults_of_all_cases_are_told_at_once() -> None:
    """Each case of a switch is a place of its own."""
    cases = (
        "[{when: 'lmit > 1', then: []}, {when: 'len(limit) > 1', then: []}, {when: 'limit > 1', then: []}]"
    )

    first, second = sorted(faults_of(f"{{name: a, type: switch, cases: {cases}}}"))

    assert "field 'cases[0].when': 'lmit' names nothing that this task sees (did you mean 'limit'?)" in first
    assert "field 'cases[1].when': there is no function 'len'" in second


def test_task_that_stands_for_its_outputs_is_explained() -> None:
    """`extract.rows` looks right and never has a value."""
    (fault,) = faults_of(
        "{name: extract, type: shell, run: x}",
        "{name: route, type: switch, needs: [extract], cases: [{when: 'extract.rows > 1', then: []}]}",
    )

    assert "'extract' is a task and no value; write ${extract.OUTPUT} for what it gave" in fault


def test_name_that_may_come_later_is_let_through() -> None:
    """Outputs need not be declared: what a task before this one may give is not known yet."""
    behind = "{name: route, type: switch, needs: [a], cases: [{when: 'rows > 1', then: []}]}"

    assert faults_of("{name: a, type: shell, run: x}", behind) == []
    assert faults_of("{name: a, type: shell, run: x, check: 'rows > 1'}") == []
    assert faults_of("{name: a, type: noop, map: [1], check: 'item > 0 && map_index < limit'}") == []


@pytest.mark.parametrize("when", ["count > 1", "size(count) > 1 && count.x > 1", "count.startsWith('1')"])
def test_output_that_nobody_declared_may_have_the_name_of_a_task(when: str) -> None:
    """A task `count` that gives `count`: the bare name is the output, as `${count}` is."""
    behind = f'{{name: route, type: switch, needs: [count], cases: [{{when: "{when}", then: []}}]}}'

    assert faults_of("{name: count, type: shell, run: x}", behind) == []
