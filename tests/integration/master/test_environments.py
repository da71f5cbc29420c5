"""Variables of environments reach orders: at their place in the precedence, read at each dispatch."""

from orchestrator.core.status import TaskState
from orchestrator.store.environments import Environments
from tests.world import World, a_task


def test_an_order_holds_its_environments_variables(world: World) -> None:
    """A task's own environment replaces the workflow's; parameters of the same name are stronger."""
    stored = Environments(world.rig.engine)
    stored.set("staging", {"REGION": "eu", "MINE": "weak", "TOKEN": "secret://token"})
    stored.set("archive", {"REGION": "us"})
    plain = a_task("plain", type="shell", params={"MINE": "strong", "both": "${REGION}-${MINE}"})
    other = a_task("other", type="shell", environment="archive")
    world.submit(plain, other, environment="staging")
    world.settle()

    orders = {order.task: order for order in world.worker.take_all().values()}

    seen = orders["plain"].parameters
    assert (seen["REGION"], seen["MINE"], seen["both"]) == ("eu", "strong", "eu-weak")
    assert seen["TOKEN"] == f"secret+{orders['plain'].ticket}://token"
    assert orders["other"].parameters["REGION"] == "us"
    assert "TOKEN" not in orders["other"].parameters


def test_a_changed_variable_counts_for_the_next_dispatch(world: World) -> None:
    """A retry after a correction sees the correction."""
    stored = Environments(world.rig.engine)
    stored.set("staging", {"HOST": "wrong"})
    world.submit(a_task("only", type="shell", retries=1), environment="staging")
    order = world.started()
    assert order.parameters["HOST"] == "wrong"

    stored.set("staging", {"HOST": "right"})
    world.worker.result(order, TaskState.FAILURE)

    assert world.started().parameters["HOST"] == "right"


def test_an_environment_that_is_gone_fails_the_task_with_its_name(world: World) -> None:
    """Waiting would not help: nobody but a person can bring it back."""
    world.submit(a_task("only", type="shell"), environment="nowhere")
    world.settle()

    assert world.attempt("only").state is TaskState.FAILURE
    assert world.attempt("only").reason == "there is no environment 'nowhere'"
