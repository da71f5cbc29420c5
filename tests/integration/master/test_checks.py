"""Checks of outputs in the master: they see what the task saw, also what memory does not keep."""

from typing import Any

from orchestrator.core.definition import TaskDefinition
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.errors import StoreUnavailable
from tests.world import World, a_task


def loaded(expression: str, **fields: Any) -> tuple[TaskDefinition, ...]:
    """A task that is checked, behind one that it reads from."""
    return (a_task("extract"), a_task("load", "extract", check={"expression": expression}, **fields))


def ended(world: World, **outputs: Any) -> None:
    """Let the task that is out succeed with these outputs."""
    order = world.started()
    world.worker.result(order, outputs=outputs)
    world.settle()


def away(_keys: Any) -> Any:
    """Be a database that cannot be reached."""
    raise StoreUnavailable("away")


def test_a_check_compares_with_an_upstream_s_outputs(world: World) -> None:
    """Directly or through the task's own params, by bare and by qualified name; own outputs come first."""
    for expression in ("${rows} == ${extract.rows}", "rows == expected", "${rows} == ${before}"):
        for rows, state, reason in ((7, "SUCCESS", None), (6, "FAILURE", f"check: {expression}")):
            world.submit(*loaded(expression, params={"expected": "${extract.rows}"}))
            ended(world, rows=7, before=7)
            ended(world, rows=rows)
            assert (world.attempt("load").state.value, world.attempt("load").reason) == (state, reason)


def test_outputs_that_memory_does_not_keep_are_fetched_beforehand(world: World) -> None:
    """And while the database is away the result waits: nothing is decided on less, nothing is acknowledged."""
    # Teeth: fails without `inspector.prepare` in `Loop._load`.
    world.submit(*loaded("size(${text}) == size(${extract.text})"))
    ended(world, text="x" * 4000)
    order = world.started()
    outputs = world.rig.instances.outputs
    world.rig.instances.outputs = away  # type: ignore[method-assign,assignment]

    entry = world.worker.result(order, outputs={"text": "y" * 4000})
    world.pass_time(3)
    assert (world.attempt("load").state, world.verdict(entry)) == (TaskState.RUNNING, None)

    world.rig.instances.outputs = outputs  # type: ignore[method-assign]
    world.pass_time(3)
    assert (world.state, world.verdict(entry)) == (WorkflowState.SUCCESS, "ok")


def test_a_check_that_names_what_is_not_there_says_so(world: World) -> None:
    """Nothing else is disturbed."""
    world.submit(*loaded("${rowz} > 0"))
    ended(world, rows=7)
    ended(world, rows=7)

    assert world.attempt("load").reason == "check: ${rowz} has no value"


def test_a_check_of_a_kind_that_is_neither_true_nor_false_says_so(world: World) -> None:
    """A number is no answer."""
    world.submit(a_task("a", check={"expression": "rows"}))
    ended(world, rows=7)

    assert world.attempt("a").reason == "check: 'rows' is neither true nor false"
