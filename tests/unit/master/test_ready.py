"""Who is dispatched first, and that worker groups do not get in each other's way."""

import random

from orchestrator.core.definition import Priority
from orchestrator.core.status import TaskState
from orchestrator.master.ready import Rank, ReadyQueue
from tests.world import World, a_task


def rank(workflow: str, task: str, age: float, sequence: int = 1) -> Rank:
    """Return a rank of these priorities."""
    return Rank(workflow=Priority(workflow).rank, task=Priority(task).rank, age=age, sequence=sequence)


def test_the_workflows_priority_comes_first_then_the_tasks_then_age() -> None:
    """In whatever order they came to wait."""
    expected = [
        ((1, "a"), rank("highest", "lowest", 9)),
        ((2, "a"), rank("high", "lowest", 8)),
        ((3, "a"), rank("medium", "highest", 7)),
        ((4, "a"), rank("medium", "medium", 1)),
        ((5, "a"), rank("medium", "medium", 2, sequence=3)),
        ((5, "b"), rank("medium", "medium", 2, sequence=4)),
        ((6, "a"), rank("medium", "low", 0)),
        ((7, "a"), rank("low", "highest", 0)),
        ((8, "a"), rank("lowest", "highest", 0)),
    ]
    queue = ReadyQueue()
    for key, one in random.Random(7).sample(expected, len(expected)):  # noqa: S311  repeatable on purpose
        queue.push(key, "default", one)

    assert queue.take("default", 100) == [key for key, _ in expected]


def test_orders_go_out_by_the_priorities_of_workflow_and_task(world: World) -> None:
    """Not in the order in which they were submitted."""
    names = [("low", "highest"), ("highest", "low"), ("highest", "high")]
    for workflow, task in names:
        world.submit(
            a_task(f"{workflow}-{task}", priority=Priority(task)), name=workflow, priority=Priority(workflow)
        )
    world.settle()

    assert [order.split(":")[1] for order in world.broker.published] == [
        "highest-high",
        "highest-low",
        "low-highest",
    ]


def test_a_group_that_nobody_serves_holds_its_own_tasks_only() -> None:
    """What waits in one group is not taken with another, however urgent it is."""
    queue = ReadyQueue()
    queue.push((1, "a"), "gpu", rank("highest", "highest", 0))
    queue.push((2, "a"), "default", rank("lowest", "lowest", 9))

    assert queue.take("default", 100) == [(2, "a")]
    assert queue.waiting() == {"gpu": 1}


def test_a_worker_group_is_the_queue_of_that_name(world: World) -> None:
    """The task's own group, else its workflow's."""
    world.worker.serve("gpu", "cpu")
    world.submit(a_task("one", worker_group="gpu"), a_task("two"), worker_group="cpu")
    world.settle()

    orders = world.worker.take_all().values()
    assert sorted((order.task, order.queue) for order in orders) == [("one", "gpu"), ("two", "cpu")]


def test_the_idempotency_key_is_that_of_all_attempts_of_one_run_count(world: World) -> None:
    """A retry has the key of the attempt before it."""
    world.submit(a_task("only", retries=1))
    first = world.started()
    world.worker.result(first, TaskState.FAILURE, error="ValueError")
    world.settle()
    second = world.started()

    assert (first.attempt, second.attempt) == (1, 2)
    assert first.idempotency_key == second.idempotency_key == f"{world.run}:only:1"
