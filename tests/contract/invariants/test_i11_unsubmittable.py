"""I11: a successor that cannot be submitted ends FAILURE in memory and database; its joins do not run."""

from typing import Any

import pytest

from orchestrator.core.status import TaskState, WorkflowState
from tests.contract.invariants.faults import FAULTS, Fault, fail_once
from tests.world import World, a_task

HOPELESS: dict[str, dict[str, Any]] = {
    "unknown reference": {"x": "${nowhere}"},
    "unknown output": {"x": "${first.missing}"},
    "inputs too large": {"x": "y" * (2 * 1024 * 1024)},
}


@pytest.mark.parametrize("reason", HOPELESS)
def test_an_attempt_whose_inputs_cannot_be_resolved_fails_and_its_join_does_not_run(
    world: World, reason: str
) -> None:
    """The other branch ends, the run ends FAILURE, and nothing was published for the hopeless one.

    Teeth: fails without `draft.end(…)` in `handle_unsubmittable`.
    """
    world.submit(
        a_task("first"),
        a_task("good", "first"),
        a_task("bad", "first", params=HOPELESS[reason]),
        a_task("join", "good", "bad"),
        a_task("clean", "join", trigger="all_done"),
    )

    assert world.finish() is WorkflowState.FAILURE
    states = {row.task: row.state for row in world.rows()}
    assert states == {
        "first": TaskState.SUCCESS,
        "good": TaskState.SUCCESS,
        "bad": TaskState.FAILURE,
        "clean": TaskState.SUCCESS,
    }
    assert world.attempt("bad").reason
    assert not [order for order in world.broker.published if ":bad:" in order]


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if not fault.loses_lease], ids=str)
def test_a_database_failure_never_makes_an_attempt_unsubmittable(world: World, fault: Fault) -> None:
    """What fails while an attempt is being submitted is tried again: only its inputs can be hopeless."""
    world.submit(a_task("only"))
    world.read()
    world.instance  # noqa: B018  loads it

    with fault.during(world):
        fail_once(world, fault)

    assert world.finish() is WorkflowState.SUCCESS
