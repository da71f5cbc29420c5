"""An existing Celery application with the one line: its own worker process runs its tasks as nodes."""

from collections.abc import Iterator
from typing import Any

import pytest

from orchestrator.core.event import RejectReason, TaskRunning, WorkerReject
from orchestrator.core.status import TaskState
from orchestrator.embedded.redis import PrivateRedis
from tests.integration.worker.conftest import stage_of
from tests.integration.worker.shopping import after, deferral, log_of, order_of, run, running, worker_output
from tests.integration.worker.stage import Stage, wait_until

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def shop(redis_server: PrivateRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A stage with one worker of the application, which all tests share."""
    for one in stage_of(redis_server, tmp_path_factory.mktemp("home")):
        one.start_shop("w1@test", "-c", "2", "--loglevel", "INFO")
        yield one


def test_return_value_is_the_result(shop: Stage) -> None:
    """A registered task runs with args and kwargs; RUNNING comes before RESULT."""
    order = order_of(shop, "shop.add", args=[1], kwargs={"b": 2})
    shop.publish(order)
    result = shop.result(order)

    assert (result.state, result.outputs) == (TaskState.SUCCESS, {"result": 3})
    assert [type(one).__name__ for one in shop.about(order)] == ["TaskRunning", "TaskResult"]


def test_hooks_base_class_and_signals_are_called(shop: Stage) -> None:
    """`before_start`, an own `__call__`, `task_prerun`: what the application has built around its tasks."""
    result = run(shop, "shop.add", args=[1, 2])

    texts = log_of(result)
    assert [
        text for text in texts if text in ("prerun shop.add", "counted") or text.startswith("before ")
    ] == [
        "prerun shop.add",
        f"before {result.workflow_instance_id}:one:1",
        "counted",
    ]


def test_task_sees_a_request_of_its_own(shop: Stage) -> None:
    """`self.request` is one of a task in a worker; a Decimal is text in the outputs."""
    result = run(shop, "shop.me", idempotency_key="k")

    assert result.outputs == {
        "id": f"{result.workflow_instance_id}:one:1",
        "retries": 0,
        "hostname": "w1@test",
        "direct": False,
        "key": "k",
        "price": "1.50",
    }


def test_retry_is_a_deferral_with_the_tasks_own_arguments(shop: Stage) -> None:
    """`self.retry` ends the hand-over: the same attempt comes again after its countdown, with new arguments."""
    first = order_of(shop, "shop.again", args=[2])
    delay = deferral(shop, first)
    second = after(first, delay)
    delays = [delay.seconds, deferral(shop, second).seconds]
    third = after(second, deferral(shop, second))
    shop.publish(third)

    assert delays == [3.0, 4.0]
    assert shop.result(third).outputs == {"done": 2, "retries": 2}


def test_retries_run_out_as_in_celery(shop: Stage) -> None:
    """After `max_retries` the error itself ends the attempt, also with `autoretry_for`."""
    first = order_of(shop, "shop.autoretry")
    second = after(first, deferral(shop, first))
    shop.publish(second)
    result = shop.result(second)

    assert (result.state, result.error) == (TaskState.FAILURE, "KeyError")


def test_failure_names_the_exception(shop: Stage) -> None:
    """The reason is one line; the traceback stands in the attempt's log."""
    result = run(shop, "shop.fail")

    assert (result.state, result.reason, result.error) == (TaskState.FAILURE, "ValueError: no", "ValueError")
    assert any("second line" in text for text in log_of(result))


@pytest.mark.parametrize(
    ("call", "fields", "state", "error"),
    [
        ("shop.nothing", {}, TaskState.SUCCESS, None),
        ("shop.ignore", {}, TaskState.SUCCESS, None),
        ("shop.ignore", {"args": ["FAILURE"]}, TaskState.FAILURE, "Ignore"),
        ("shop.reject", {"args": [False]}, TaskState.FAILURE, "Reject"),
        ("shop.replace", {}, TaskState.FAILURE, "Replaced"),
        ("shop.unjson", {}, TaskState.FAILURE, "InvalidOutput"),
        ("shop.leave", {}, TaskState.FAILURE, "SystemExit"),
        ("shop.add", {"args": [1]}, TaskState.FAILURE, "TypeError"),
        ("shop.slow", {}, TaskState.FAILURE, "SoftTimeLimitExceeded"),
        ("shop.careful", {}, TaskState.SUCCESS, None),
        ("shop.endless", {}, TaskState.FAILURE, "timeout"),
    ],
)
def test_every_end_of_a_task_is_an_event(
    shop: Stage, call: str, fields: dict[str, Any], state: TaskState, error: str | None
) -> None:
    """Ignore, Reject, exits, wrong arguments, soft and hard time limits."""
    result = run(shop, call, **fields)

    assert (result.state, result.error) == (state, error)
    assert result.reason == "timeout" or call not in ("shop.slow", "shop.endless")


def test_requeued_message_is_a_deferral(shop: Stage) -> None:
    """`Reject(requeue=True)` asks for the same again, soon."""
    assert deferral(shop, order_of(shop, "shop.reject", args=[True])).seconds == 1.0


def test_unknown_task_is_given_back(shop: Stage) -> None:
    """A task that the application has not registered may be known to another one's workers."""
    order = order_of(shop, "shop.ad")
    shop.publish(order)
    reject = shop.event(order, WorkerReject)

    assert reject.reason is RejectReason.UNKNOWN_CALLABLE
    assert "not a registered task of the application 'shop' (shop.add" in reject.detail


def test_stop_ends_the_task(shop: Stage) -> None:
    """A stopped attempt is interrupted as any other, and ends KILLED."""
    order = running(shop, "shop.linger")
    shop.stop_attempt(order)
    result = shop.result(order)

    assert (result.state, result.reason) == (TaskState.KILLED, "stopped")


def test_revoke_with_terminate_is_killed(shop: Stage) -> None:
    """Celery's own `revoke(terminate=True)`, as Flower's button sends it: KILLED, not LOST and tried again."""
    order = running(shop, "shop.linger")
    shop.app.control.revoke(order.id, terminate=True)
    result = shop.result(order)

    assert (result.state, result.reason) == (TaskState.KILLED, "revoked")


def test_revoked_before_it_starts_is_killed(shop: Stage) -> None:
    """What was revoked before a worker took it ends KILLED at once, without a start."""
    order = order_of(shop, "shop.add", args=[1, 2])
    assert shop.app.control.revoke(order.id, reply=True, timeout=10)
    shop.publish(order)
    result = shop.result(order)

    assert (result.state, result.reason) == (TaskState.KILLED, "revoked")
    assert not [one for one in shop.about(order) if isinstance(one, TaskRunning)]


def test_death_of_the_child_is_reported_at_once(shop: Stage) -> None:
    """A task that kills its process is a loss, which the master counts."""
    result = run(shop, "shop.die")

    assert (result.error, result.reason) == ("ChildDied", "worker child died: SIGKILL")


def test_own_messages_of_the_application_run_as_ever(shop: Stage) -> None:
    """The same worker, the same queue: what the application sends itself is not ours."""
    shop.app.send_task("shop.add", (20, 22), queue="shop")

    wait_until(lambda: "succeeded" in worker_output(shop) and ": 42" in worker_output(shop))


def test_heartbeat_announces_queues_and_tasks(shop: Stage) -> None:
    """Queues are worker groups; the registered tasks are named; both without a setting."""
    beat = shop.beat()

    assert beat is not None
    assert beat.groups == ("shop",)
    assert {"shop.add", "shop.again"} <= set(beat.tasks)
    assert not [name for name in beat.tasks if name.startswith(("celery.", "orchestrator."))]


def test_order_for_the_workers_own_queue_arrives(shop: Stage) -> None:
    """What other workers gave back is sent to one worker's own queue, which it serves without `worker_direct`."""
    assert run(shop, "shop.add", args=[1, 2], queue="w1@test.dq2").outputs == {"result": 3}


def test_readable_name_and_no_arguments_in_the_workers_log(shop: Stage) -> None:
    """Flower and the worker's log show the task's own name with that of the node, and nobody's data."""
    run(shop, "shop.add", args=[40_123, 2])

    assert "Task shop.add [flow/one]" in worker_output(shop)
