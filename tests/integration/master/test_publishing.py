"""An order that cannot be published: it alone ends or waits, the others go out, the messenger goes on."""

from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.errors import BrokerUnavailable, UnresolvedParameter
from tests.world import World, a_task


def test_an_order_that_no_message_can_hold_fails_its_task_alone(world: World) -> None:
    """FAILURE with the reason; the two others of the same batch go out, and the run ends."""
    world.broker.chokes = UnresolvedParameter("the order cannot be sent: no JSON for it")
    world.submit(a_task("good1"), a_task("bad"), a_task("good2"))

    world.settle()

    assert [order_id.split(":")[1] for order_id in world.broker.published] == ["good1", "good2"]
    bad = world.attempt("bad")
    assert (bad.state, bad.reason) == (TaskState.FAILURE, "the order cannot be sent: no JSON for it")
    assert world.finish() is WorkflowState.FAILURE


def test_a_bug_in_publishing_parks_the_run_of_that_order_alone(world: World) -> None:
    """Nobody knows that it is the order's fault: the run waits, others go on, and it works when that is mended."""
    world.broker.chokes = RuntimeError("a bug")
    parked = world.submit(a_task("bad"))
    good = world.submit(a_task("good1"))
    world.settle()
    lanes = world.rig.master.lanes
    assert lanes.parked[parked].error == "RuntimeError: a bug"
    assert world.finish() is WorkflowState.SUCCESS
    assert world.run == good

    world.broker.chokes = None
    world.run = parked
    assert world.finish() is WorkflowState.SUCCESS
    assert not lanes.parked


def test_a_broker_that_is_away_fails_nobody(world: World) -> None:
    """What was not sent stays queued, also in the middle of finding out which order is bad."""
    world.broker.chokes = BrokerUnavailable("away")
    world.submit(a_task("good1"), a_task("bad"))
    world.settle()
    assert world.broker.published == []

    world.broker.chokes = None
    assert world.finish() is WorkflowState.SUCCESS
