"""Workers of an attached application that are started in other ways, or treated badly."""

import pytest

from orchestrator.core.status import TaskState
from tests.integration.worker.shopping import after, deferral, order_of, run
from tests.integration.worker.stage import Stage

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("pool", ["threads", "solo"])
def test_other_pools_run_tasks_too(stage: Stage, pool: str) -> None:
    """Results, deferrals and failures are the same; a stop interrupts a thread at its next bytecode."""
    stage.start_shop("w1@test", "-P", pool, "-c", "2")
    first = order_of(stage, "shop.again", args=[1])
    second = after(first, deferral(stage, first))
    stage.publish(second)

    assert stage.result(second).outputs == {"done": 1, "retries": 1}
    assert run(stage, "shop.fail").error == "ValueError"


def test_soft_limit_of_the_whole_worker_reaches_the_task_only(stage: Stage) -> None:
    """`task_soft_time_limit` holds for nodes too, and never strikes our own code: a shell node outlives it."""
    stage.start_shop(SHOP_SOFT_LIMIT="1")
    script = stage.order("shell", {"run": "sleep 2"}, queue="shop")
    stage.publish(script)

    assert run(stage, "shop.linger").error == "SoftTimeLimitExceeded"
    assert stage.result(script).state is TaskState.SUCCESS
