"""A wide fan-out through the whole master: what its commits hold, and that everything runs once."""

from orchestrator.core.status import WorkflowState
from tests.unit.master.test_batches import Recording
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
