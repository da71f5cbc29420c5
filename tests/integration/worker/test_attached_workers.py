"""Workers of an attached application that are started in other ways, or treated badly."""

import pytest

from orchestrator.broker.generation import Generations
from orchestrator.core.status import TaskState
from orchestrator.embedded.redis import PrivateRedis
from tests.integration.worker.shopping import after, deferral, order_of, run, running
from tests.integration.worker.stage import Stage, wait_until

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


def test_application_on_the_masters_own_broker_needs_no_detour(stage: Stage) -> None:
    """The same Redis and the same prefix: its worker takes orders as it takes everything else."""
    stage.start_shop(SHOP_PREFIX=stage.settings.key_prefix)

    assert run(stage, "shop.add", args=[1, 2]).outputs == {"result": 3}


def test_orders_come_again_after_the_brokers_restart(stage: Stage, redis_server: PrivateRedis) -> None:
    """Both brokers were away: the worker goes on by itself, for its own messages and for ours."""
    stage.start_shop()
    assert run(stage, "shop.add", args=[1, 2]).outputs == {"result": 3}
    redis_server.kill()
    redis_server.start()
    stage.generation = Generations(stage.client, stage.keys).ensure()[0]

    assert run(stage, "shop.add", args=[3, 4]).outputs == {"result": 7}


def test_graceful_stop_waits_for_the_task(stage: Stage) -> None:
    """TERM, as a deployment of the application sends it: what runs ends and reports, nothing new is taken."""
    worker = stage.start_shop()
    order = running(stage, "shop.short")
    worker.terminate()

    assert stage.result(order).outputs == {"result": "done"}
    wait_until(lambda: worker.poll() is not None, what="the worker's end")
    assert worker.returncode == 0


def test_worker_that_could_not_read_orders_says_so_in_one_line(stage: Stage) -> None:
    """No traceback, exit code 2: a supervisor does not start it again and again."""
    worker = stage.launch("w1@test", ("-A", "shop"), SHOP_ACCEPTS="pickle")
    wait_until(lambda: worker.poll() is not None, what="the worker's end")
    output = (stage.home / "w1@test.out").read_text()

    assert worker.returncode == 2
    assert "error: its workers accept pickle; add 'json' to accept_content, for orders are JSON\n" in output
    assert "Traceback" not in output
