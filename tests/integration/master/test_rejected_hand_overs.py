"""Where an attempt goes that a worker gave back: to the own queue of one that takes work, each in its turn."""

from orchestrator.broker.presence import WorkerBeat
from orchestrator.core.event import RejectReason
from tests.world import World, a_task


def beat(world: World, name: str, state: str = "online") -> None:
    """Let another worker of the group show that it lives."""
    world.rig.beats.beat(
        WorkerBeat(name=name, incarnation=f"{name}-1", groups=("default",), capacity=8, state=state)
    )


def test_rejected_attempts_are_spread_over_the_workers_that_take_work(world: World) -> None:
    """A draining worker is not named, and no other one gets everything."""
    world.worker._capacity = 8
    world.submit(*(a_task(f"t{number}") for number in range(6)))
    world.settle()
    orders = world.worker.take_all()
    for order in orders.values():
        world.worker.reject(order, RejectReason.OVERLOAD)
    beat(world, "a@rig", state="draining")
    beat(world, "b@rig")
    beat(world, "c@rig")

    world.pass_time(3)

    queues = {name: len(waiting) for name, waiting in world.broker.queues.items() if waiting}
    assert queues == {"b@rig.dq2": 3, "c@rig.dq2": 3}


def test_where_all_others_are_draining_the_group_is_asked_again(world: World) -> None:
    """Nobody is named: whoever of the group takes work first gets it."""
    world.submit(a_task("only"))
    world.settle()
    world.worker.reject(world.taken(), RejectReason.OVERLOAD)
    beat(world, "a@rig", state="draining")

    world.pass_time(3)

    order = world.taken()
    assert (order.dispatch, order.queue) == (2, "default")


def test_an_order_says_when_it_was_made(world: World) -> None:
    """PROTOCOL 1: the worker says it again, for a RUNNING that overtakes DISPATCH."""
    world.submit(a_task("only"))
    world.settle()

    assert world.taken().dispatched_at == world.rig.clock.now()
