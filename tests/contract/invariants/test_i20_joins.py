"""I20: two upstreams of a join that end in one batch start it exactly once, also when the commit fails first."""

import pytest

from orchestrator.core.definition import Trigger
from orchestrator.core.status import TaskState, WorkflowState
from tests.contract.invariants.faults import FAULTS, Fault, fail_once
from tests.world import World, a_task

RUNS_ONE_JOIN = (Trigger.ALL_SUCCESS, Trigger.NONE_FAILED, Trigger.ALL_DONE, Trigger.ONE_SUCCESS)


def ended_together(world: World, trigger: Trigger, *states: TaskState) -> None:
    """Both upstreams of a join have ended; their RESULTs have been read."""
    world.submit(a_task("left"), a_task("right"), a_task("join", "left", "right", trigger=trigger))
    world.settle()
    orders = world.worker.take_all()
    for task, state in zip(("left", "right"), states, strict=True):
        world.worker.result(orders[task], state)
    world.read()


@pytest.mark.parametrize("trigger", RUNS_ONE_JOIN, ids=str)
@pytest.mark.parametrize("fault", [None, *FAULTS], ids=str)
def test_the_join_of_two_successes_starts_once(world: World, trigger: Trigger, fault: Fault | None) -> None:
    """One batch, one join: each RESULT is decided on what the other left.

    Teeth: fails without `batch.undo()` in `Loop._handle`, or with `lanes.load` for each item's decision.
    """
    ended_together(world, trigger, TaskState.SUCCESS, TaskState.SUCCESS)

    if fault is not None:
        with fault.during(world):
            fail_once(world, fault)
    world.pass_time(3)

    assert [(row.task, row.attempt) for row in world.rows()] == [("left", 1), ("right", 1), ("join", 1)]
    assert set(world.broker.published) >= {f"{world.run}:join:1:1"}
    world.worker.take_all()
    assert world.worker.ran.count(f"{world.run}:join:1:1") == 1
    world.assert_memory_equals_rows()


@pytest.mark.parametrize("states", [("FAILURE", "SUCCESS"), ("SUCCESS", "FAILURE"), ("FAILURE", "KILLED")])
@pytest.mark.parametrize("trigger", Trigger, ids=str)
def test_the_join_of_a_failure_is_decided_once(
    world: World, trigger: Trigger, states: tuple[str, str]
) -> None:
    """Whoever ends first: the join runs under the triggers that want it, once, and the run ends."""
    ended_together(world, trigger, *map(TaskState, states))

    state = world.finish()

    runs = {Trigger.ALL_DONE, Trigger.ONE_FAILED} | ({Trigger.ONE_SUCCESS} if "SUCCESS" in states else set())
    assert [row.task for row in world.rows()][2:] == (["join"] if trigger in runs else [])
    assert state is WorkflowState.FAILURE
