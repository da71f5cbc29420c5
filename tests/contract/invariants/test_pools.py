"""Pools: whatever dies or fails, slots taken equal tasks that run, and at the end none is taken (O9)."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, event, func, select

from orchestrator import crash
from orchestrator.core.command import CommandKind
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.errors import CommitInDoubt, StoreUnavailable
from orchestrator.store import schema
from orchestrator.store.pools import Pools
from orchestrator.store.session import reading
from tests.contract.invariants.conftest import MakeWorld
from tests.contract.invariants.deaths import different_deaths, dying_at, sampled
from tests.contract.invariants.family import let_end, runs, send, survive
from tests.contract.invariants.test_sub_workflows import Shaky
from tests.world import World, a_task

K = CommandKind

KEY = ("workflow_instance_id", "task", "attempt")
HANDED_OVER = select(*(schema.task_instance.c[one] for one in KEY)).where(
    schema.task_instance.c.state.in_([TaskState.DISPATCHED, TaskState.RUNNING])
)
SLOTS = select(*(schema.pool_slot.c[one] for one in KEY))


def go(world: World) -> None:
    """Let everything go on."""
    survive(world, world.settle)


def plain(_world: World) -> None:
    """Nobody does anything."""


def paused(world: World) -> None:
    """A run is paused and resumed while its tasks wait."""
    send(world, K.PAUSE, world.run)
    go(world)
    send(world, K.RESUME, world.run)


def stopped(world: World) -> None:
    """A run is stopped while one of its tasks has a slot and another one waits."""
    send(world, K.STOP, world.run)


def recovered(world: World) -> None:
    """A run is stopped, and recovered when it has ended."""
    stopped(world)
    let_end(world)
    send(world, K.RECOVER, world.run)


def resized(world: World) -> None:
    """The pool has no slots for a while, then more than before."""
    Pools(world.rig.engine).set("few", 0)
    go(world)
    Pools(world.rig.engine).set("few", 3)


STORIES = (plain, paused, stopped, recovered, resized)


def tell(world: World, story: Callable[[World], None]) -> None:
    """Run two runs that share one slot through a story to the end."""
    Pools(world.rig.engine).set("few", 1)
    world.submit(a_task("a", pool="few"), a_task("b", "a", pool="few"), name="first")
    world.submit(a_task("c", pool="few"), a_task("d", pool="few"), name="second")
    story(world)
    let_end(world)
    look_over(world)


def look_over(world: World) -> None:
    """Nobody has a slot or waits for one, nothing had to be repaired, no mail is left."""
    assert world.rig.master.sweeper.step() == 0
    pools = {one.name: one for one in Pools(world.rig.engine).list()}
    assert (pools["few"].taken, pools["few"].waiting, pools["few"].repaired) == (0, 0, 0)
    with reading(world.rig.engine) as connection:
        assert connection.execute(select(func.count()).select_from(schema.error_command)).scalar_one() == 0


@contextmanager
def watched(world: World) -> Iterator[None]:
    """Whoever begins to run has a slot, at every commit (O9)."""

    def look(connection: Connection) -> None:
        running = set(connection.execute(HANDED_OVER).all())
        taken = set(connection.execute(SLOTS).all())
        assert running <= taken, f"{running - taken} run without a slot"

    event.listen(world.rig.engine, "commit", look)
    try:
        yield
    finally:
        event.remove(world.rig.engine, "commit", look)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_master_may_die_at_any_point(make_world: MakeWorld, story: Callable[[World], None]) -> None:
    """Another one goes on: no slot is lost or given twice, and the end is as without the crash."""
    world, reached = make_world(by_hand=False), list[str]()
    with watched(world):
        deaths = different_deaths(world, lambda: tell(world, story), reached.append)
    expected = list(runs(world).values())
    assert "pool.after_flush" in reached
    for number, point in sampled(world, deaths, every=7).items():
        another = make_world(by_hand=False)
        with watched(another), dying_at(number):
            tell(another, story)
        assert list(runs(another).values()) == expected, (number, point)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
@pytest.mark.parametrize(
    ("error", "commits"),
    [(StoreUnavailable("away"), False), (CommitInDoubt("not done"), False), (CommitInDoubt("done"), True)],
    ids=["away", "in doubt", "done all the same"],
)
def test_any_commit_may_fail(
    make_world: MakeWorld, story: Callable[[World], None], error: Exception, *, commits: bool
) -> None:
    """A slot is neither lost nor counted twice."""
    world = make_world(by_hand=False)
    world.rig.committer = Shaky(world.rig.commit, error, random.Random(1), commits)  # noqa: S311  repeatable

    tell(world, story)


def test_end_of_a_run_serves_the_next_one_in_line_whatever_crashes(make_world: MakeWorld) -> None:
    """I12: the slot of the last task is part of the commit that ends the run."""
    for number in range(1, 9):
        world = make_world(by_hand=False)
        Pools(world.rig.engine).set("few", 1)
        first = world.submit(a_task("a", pool="few"), name="first")
        second = world.submit(a_task("b", pool="few"), name="second")
        with dying_at(number):
            let_end(world)
        assert runs(world) == dict.fromkeys((first, second), WorkflowState.SUCCESS)
        look_over(world)


def test_points_of_pools_are_known() -> None:
    """They can be armed by the setting that tests use."""
    for point in ("pool.before_flush", "pool.after_flush", "pool.after_commit"):
        assert crash.parse(point) == (point, 1)
