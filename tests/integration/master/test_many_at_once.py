"""Group commit under many runs and wide ones: one transaction for a batch, and everything runs once."""

from orchestrator.core.status import WorkflowState
from tests.integration.master.test_batches import Recording
from tests.world import World, a_task

WIDTH = 2_500


def test_a_fan_out_goes_step_by_step_and_joins_once(busy_world: World) -> None:
    """2,500 tasks behind one: several transactions create them, each task runs once, and the join starts once."""
    world = busy_world
    names = [f"t{number:04d}" for number in range(WIDTH)]
    recording = world.rig.committer = Recording(world)
    world.rig.worker._capacity = 1_000
    run = world.submit(a_task("root"), *(a_task(name, "root") for name in names), a_task("join", *names))

    world.rig.run(run)

    assert world.state is WorkflowState.SUCCESS
    created = [sum(len(one.new) for one in changes.instances) for changes in recording.written]
    assert max(created) < WIDTH
    assert sum(created) == WIDTH + 2
    ran = world.rig.worker.ran
    assert len(ran) == len(set(ran)) == WIDTH + 2


def test_events_of_many_runs_are_one_transaction(world: World) -> None:
    """Fifty runs end their task: one commit."""
    for number in range(50):
        world.submit(a_task("only"), name=f"w{number % 2}", priority="low")
    world.settle()
    recording = Recording(world)
    while (order := world.worker.take()) is not None:
        world.worker.running(order)
        world.settle()
    for one in list(world.worker.held.values()):
        world.worker.result(one)
    world.read()
    world.rig.committer = recording

    world.step()

    assert len(recording.written) == 1
    assert len(recording.written[0].instances) == 50
