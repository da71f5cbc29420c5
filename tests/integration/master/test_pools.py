"""Pools with a whole master: losses, recalls, stops and takeovers, and what is said of who waits."""

import pytest
from sqlalchemy import update

from orchestrator.core.command import CommandKind
from orchestrator.core.definition import Priority, WorkflowDefinition
from orchestrator.core.event import RejectReason
from orchestrator.core.notice import Served, Unserved, about
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.master.items import NoticeItem
from orchestrator.store import schema
from orchestrator.store.pools import Pools, StoredPool
from orchestrator.store.session import writing
from tests.world import World, a_task


@pytest.fixture
def world() -> World:
    """A world with a pool of one slot."""
    world = World()
    Pools(world.rig.engine).set("few", 1)
    return world


def standing(world: World) -> StoredPool:
    """Return the pool as it stands."""
    (pool,) = Pools(world.rig.engine).list()
    return pool


def reason(world: World, task: str) -> str | None:
    """Return why a task waits."""
    return world.attempt(task).reason


def test_one_runs_and_the_next_one_follows_at_once(world: World) -> None:
    """The commit that ends the first gives the slot on; no time passes."""
    world.submit(a_task("a", pool="few"), a_task("b", pool="few"), a_task("free"))
    world.settle()
    taken = world.worker.take_all()
    assert sorted(taken) == ["a", "free"]
    assert reason(world, "b") == "pool"

    world.worker.running(taken["a"])
    world.worker.result(taken["a"])
    world.settle()

    assert world.taken().task == "b"
    assert standing(world) == StoredPool(name="few", slots=1, taken=1, waiting=0)


def test_more_urgent_workflow_comes_first_whenever_it_was_submitted(world: World) -> None:
    """Over all runs: workflow, then task, then age."""
    world.submit(a_task("holder", pool="few"))
    order = world.started()
    world.submit(a_task("low", pool="few"), a_task("high", pool="few", priority=Priority.HIGH), name="plain")
    world.submit(a_task("urgent", pool="few"), name="urgent", priority=Priority.HIGHEST)
    world.settle()
    came: list[str] = []

    while len(came) < 3:
        world.worker.running(order)
        world.worker.result(order)
        world.settle()
        order = world.taken()
        came.append(order.task)

    assert came == ["urgent", "high", "low"]


def test_lost_worker_gives_the_slot_back(world: World) -> None:
    """The replacement stands in line, behind who is older."""
    world.submit(a_task("a", pool="few"), a_task("b", pool="few"))
    world.started()
    world.replace_worker("w1-2").online(world.slot)
    world.settle()

    assert (world.attempt("a").attempt, reason(world, "a")) == (2, "pool")
    assert (world.attempt("b").state, world.attempt("b").reason) == (TaskState.DISPATCHED, None)
    assert world.finish() is WorkflowState.SUCCESS
    assert standing(world) == StoredPool(name="few", slots=1)


def test_rejected_attempt_keeps_its_slot_through_the_back_off(world: World) -> None:
    """It goes out again, and nobody takes its place meanwhile."""
    world.submit(a_task("a", pool="few"), a_task("b", pool="few"))
    world.settle()
    world.worker.reject(world.taken(), RejectReason.OVERLOAD)
    world.settle()

    assert standing(world).taken == 1
    assert reason(world, "b") == "pool"
    assert world.finish() is WorkflowState.SUCCESS


def test_deferred_task_lets_the_next_one_run(world: World) -> None:
    """And stands in line again when its time has come, by its old age before younger ones."""
    world.submit(a_task("a", pool="few"), a_task("b", pool="few"), a_task("c", pool="few"))
    world.worker.delay(world.started(), 5.0)
    world.settle()
    second = world.taken()
    assert second.task == "b"
    world.pass_time(6.0)
    assert reason(world, "a") == "pool"

    world.worker.running(second)
    world.worker.result(second)
    world.settle()

    assert world.taken().task == "a"


def test_stop_needs_no_redis_for_who_waits(world: World) -> None:
    """Nobody but the master has an attempt in line: it is killed in the same turn, without a recall."""
    Pools(world.rig.engine).set("few", 0)
    world.submit(a_task("a", pool="few"))
    world.settle()
    world.command(CommandKind.STOP)
    world.step()
    world.step()

    assert (world.state, world.attempt("a").state) == (WorkflowState.STOPPED, TaskState.KILLED)
    assert standing(world) == StoredPool(name="few", slots=0)


def test_next_master_serves_who_waits(world: World) -> None:
    """What a pool is about stands in rows alone."""
    world.submit(a_task("a", pool="few"), a_task("b", pool="few"))
    order = world.started()

    world.restart_master()
    world.worker.result(order)
    world.settle()

    assert world.taken().task == "b"
    world.assert_memory_equals_rows()


def test_leaked_slot_is_found_and_given_on(world: World) -> None:
    """Whatever broke it, here a person in the database: the sweep repairs, counts, and wakes who is next."""
    world.submit(a_task("a", pool="few"), a_task("b", pool="few"))
    order = world.started()
    world.worker.result(order)
    world.settle()
    with writing(world.rig.engine) as connection:  # its slot is now that of an attempt that has ended
        connection.execute(update(schema.pool_slot).values(task="a"))
    second = world.taken()
    world.worker.running(second)
    world.worker.result(second)
    world.settle()
    world.submit(a_task("c", pool="few"), name="other")
    world.settle()
    assert reason(world, "c") == "pool"

    assert world.rig.master.sweeper.step() == 2
    world.settle()

    assert world.taken().task == "c"
    assert standing(world).repaired == 1


def test_dry_run_asks_no_pool(world: World) -> None:
    """Nothing executes."""
    Pools(world.rig.engine).set("few", 0)
    definition = WorkflowDefinition(name="w", tasks=(a_task("a", pool="few"),))

    run = world.rig.submit(definition, dry_run=True)

    world.rig.run(run)
    assert world.rig.state(run) is WorkflowState.SUCCESS


# --- worker groups that nobody serves ----------------------------------------------------------


def test_task_that_no_worker_can_run_gives_its_slot_to_one_that_can_run(world: World) -> None:
    """A group without workers holds only its own tasks, also where they share a pool with others.

    Teeth: fails without `Concessions.step` in `Rounds.step`.
    """
    world.submit(a_task("a", pool="few", worker_group="gpu"), a_task("b", pool="few"))
    world.settle()
    assert (world.attempt("a").state, reason(world, "b")) == (TaskState.DISPATCHED, "pool")

    world.pass_time(40)

    assert world.taken().task == "b"
    assert (world.attempt("a").state, reason(world, "a")) == (TaskState.SUBMITTED, "no worker")
    assert standing(world) == StoredPool(name="few", slots=1, taken=1)


def test_who_gave_way_stands_in_line_by_its_age_when_the_group_is_served(world: World) -> None:
    """It goes before who is younger, and runs once."""
    world.submit(
        a_task("a", pool="few", worker_group="gpu"), a_task("b", pool="few"), a_task("c", pool="few")
    )
    world.pass_time(40)
    second = world.taken()

    world.worker.serve("gpu")
    world.pass_time(5)
    assert (reason(world, "a"), reason(world, "c")) == ("pool", "pool")
    world.worker.running(second)
    world.worker.result(second)
    world.settle()

    first = world.started()
    assert (second.task, first.task, reason(world, "c")) == ("b", "a", "pool")
    world.worker.result(first)
    assert world.finish() is WorkflowState.SUCCESS
    assert standing(world) == StoredPool(name="few", slots=1)


def test_line_of_tasks_that_nobody_can_run_holds_no_others_up(world: World) -> None:
    """They leave the line together, not one by one through the slot; new ones do the same."""
    many = [a_task(f"a{number}", pool="few", worker_group="gpu") for number in range(5)]
    world.submit(*many, a_task("later", "a0", pool="few"), name="stuck", priority=Priority.HIGHEST)
    world.pass_time(40)
    world.submit(a_task("b", pool="few"))
    world.settle()

    assert world.taken().task == "b"
    assert standing(world) == StoredPool(name="few", slots=1, taken=1)
    world.assert_memory_equals_rows()


def test_next_master_knows_who_gave_way(world: World) -> None:
    """It stands in the row; and nothing is repaired, since nothing is wrong."""
    world.submit(a_task("a", pool="few", worker_group="gpu"), a_task("b", pool="few"))
    world.pass_time(40)

    world.restart_master()
    world.worker.serve("gpu")
    world.pass_time(5)
    assert reason(world, "a") == "pool"
    assert world.rig.master.sweeper.step() == 0
    assert standing(world) == StoredPool(name="few", slots=1, taken=1, waiting=1)


def test_who_gives_way_is_stopped_without_redis(world: World) -> None:
    """Nobody but the master has it."""
    world.submit(a_task("a", pool="few", worker_group="gpu"))
    world.pass_time(40)
    world.command(CommandKind.STOP)
    world.step()
    world.step()

    assert (world.state, world.attempt("a").state) == (WorkflowState.STOPPED, TaskState.KILLED)
    assert (reason(world, "a"), standing(world).waiting) == ("stopped", 0)


def test_grant_that_is_read_late_is_not_taken_for_a_later_one(world: World) -> None:
    """Who gave way and came back has lost the slot that the grant was about; another one has it by now."""
    pools = Pools(world.rig.engine)
    pools.set("few", 0)
    world.submit(
        a_task("a", pool="few", worker_group="gpu"),
        a_task("b", pool="few", priority=Priority.HIGH, delay_s=5.0),
    )
    world.pass_time(5.0, tick_s=0.25)
    world.streams.wake(world.slot)
    world.settle()  # so that the master looks for mail in two seconds only
    pools.set("few", 1)  # the grant of `a` stands in the database, and nobody was told to look
    mine = world.attempt("a")
    notices = (about(mine, Unserved), about(mine, Served))
    world.rig.master.inbox.put_notices([NoticeItem(one) for one in notices])
    world.rig.clock.advance(0.25)

    world.step()
    assert (reason(world, "a"), reason(world, "b")) == ("pool", "pool")
    world.settle()

    assert (reason(world, "a"), world.attempt("b").state) == ("pool", TaskState.DISPATCHED)
    assert standing(world) == StoredPool(name="few", slots=1, taken=1, waiting=1)
    world.assert_memory_equals_rows()


def test_queue_timeout_counts_on_while_an_attempt_gives_way(world: World) -> None:
    """From its submission, whatever it waits for; that nobody serves the group is a case it is meant for."""
    world.submit(a_task("a", pool="few", worker_group="gpu", queue_timeout_s=60.0))
    world.pass_time(50)
    assert (world.state, reason(world, "a")) == (WorkflowState.RUNNING, "no worker")

    world.pass_time(30)

    assert (world.state, world.attempt("a").state) == (WorkflowState.FAILURE, TaskState.FAILURE)
    assert reason(world, "a") == "queue timeout"
