"""I10: a finish leads to exactly one evaluation of its successors: each created once, one retry per failure."""

import pytest

from orchestrator.core.status import TaskState
from tests.contract.invariants.cases import running
from tests.contract.invariants.faults import FAULTS, Fault, fail_once
from tests.world import World

FAILING = [fault for fault in FAULTS if not fault.loses_lease]


@pytest.mark.parametrize("copies", [1, 3])
@pytest.mark.parametrize("fault", FAILING, ids=str)
def test_successors_are_created_once(world: World, fault: Fault, copies: int) -> None:
    """However often the RESULT comes and whatever fails first, `left` and `right` get one attempt each.

    Teeth: fails without the branch on `TASK_FINAL` in `check_event`, or without `batch.undo()`.
    """
    order = running(world)
    for _ in range(copies):
        world.worker.result(order)
    world.read()

    with fault.during(world):
        fail_once(world, fault)
    world.pass_time(3)

    assert [(row.task, row.attempt) for row in world.rows()] == [("first", 1), ("left", 1), ("right", 1)]
    assert world.broker.published.count(f"{world.run}:left:1:1") == 1
    world.assert_memory_equals_rows()


@pytest.mark.parametrize("copies", [1, 3])
@pytest.mark.parametrize("fault", FAILING, ids=str)
def test_a_failure_uses_up_one_retry(world: World, fault: Fault, copies: int) -> None:
    """However often the FAILURE comes and whatever fails first, there is one new attempt, with one failure."""
    order = running(world)
    for _ in range(copies):
        world.worker.result(order, TaskState.FAILURE, error="ValueError")
    world.read()

    with fault.during(world):
        fail_once(world, fault)
    world.pass_time(3)

    assert [(row.attempt, row.state, row.failures, row.current) for row in world.rows()] == [
        (1, TaskState.FAILURE, 0, False),
        (2, TaskState.DELAYED, 1, True),
    ]
    world.assert_memory_equals_rows()


def test_a_long_outage_still_leads_to_one_evaluation(world: World) -> None:
    """Every try during the outage is undone; the one that commits counts."""
    order = running(world)
    world.worker.result(order)
    away = next(fault for fault in FAULTS if fault.name == "before")

    with away.during(world):
        world.pass_time(60)
    world.pass_time(6)

    assert [row.task for row in world.rows()] == ["first", "left", "right"]
    world.assert_memory_equals_rows()
