"""A run and the version of its workflow."""

from orchestrator.core.definition import WorkflowDefinition
from orchestrator.core.status import WorkflowState
from orchestrator.store.definitions import Definitions
from tests.world import World, a_task


def test_a_run_keeps_the_version_that_it_was_submitted_with(world: World) -> None:
    """A newer one has other tasks and is online: also after another master has loaded the run anew."""
    run = world.submit(a_task("a"), a_task("old", "a"))
    order = world.started()

    newer = WorkflowDefinition(name="w", tasks=(a_task("a"), a_task("new", "a")))
    deployed = Definitions(world.rig.engine).deploy(newer, online=True)
    world.restart_master()
    world.worker.result(order)

    assert world.finish() is WorkflowState.SUCCESS
    assert [row.task for row in world.rows()] == ["a", "old"]
    assert (world.rig.instances.load([run])[run].head.version, deployed.version) == (1, 2)
