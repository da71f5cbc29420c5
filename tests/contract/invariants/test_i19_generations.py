"""I19: a message of an older dispatch or generation never starts."""

from collections import deque

from orchestrator.core.command import CommandKind
from orchestrator.core.status import WorkflowState
from tests.contract.invariants.cases import dispatched
from tests.world import World, a_task


def test_a_message_that_was_recalled_never_starts(world: World) -> None:
    """The master took the claim: the message of dispatch 1 is refused, only dispatch 2 runs."""
    dispatched(world)
    world.command(CommandKind.PAUSE)
    world.settle()
    world.command(CommandKind.RESUME)
    world.settle()
    assert [order.id for order, _ in world.broker.queues["default"]] == [
        f"{world.run}:first:1:1",
        f"{world.run}:first:1:2",
    ]

    world.worker.take_all()

    assert world.worker.ran == [f"{world.run}:first:1:2"]


def test_a_message_of_an_older_generation_never_starts(world: World) -> None:
    """Redis lost its memory, a prefetched message lives on: it is refused; its attempt goes out once more.

    Teeth: fails (never ends) without `Reaper._after_new_generation`.
    """
    world.submit(a_task("only"))
    world.settle()
    prefetched = deque(world.broker.queues["default"])
    world.broker.wipe()
    world.streams.wipe()
    world.broker.queues["default"] = prefetched
    world.settle()

    assert world.worker.take() is None
    world.pass_time(20)

    assert world.broker.published[1:] == [f"{world.run}:only:1:2"]
    assert world.finish() is WorkflowState.SUCCESS
    assert world.worker.ran == [f"{world.run}:only:1:2"]
