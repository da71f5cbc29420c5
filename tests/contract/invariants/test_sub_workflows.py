"""Sub-workflows: whatever dies or fails, each task has its one child, and ends as that did."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import pytest

from orchestrator.core.changes import Changes, Leases
from orchestrator.core.command import CommandKind
from orchestrator.core.definition import WorkflowDefinition
from orchestrator.core.status import WorkflowState
from orchestrator.errors import CommitInDoubt, LeaseLost, StoreUnavailable
from orchestrator.master.outside import Committer
from tests.contract.invariants.conftest import MakeWorld
from tests.contract.invariants.deaths import different_deaths, dying_at, sampled
from tests.contract.invariants.family import (
    a_sub,
    child_of,
    deploy_chain,
    let_end,
    look_over,
    runs,
    send,
    survive,
)
from tests.contract.invariants.faults import lease_moved_on
from tests.world import World, a_task

K = CommandKind
DEPTH = 5
SEEDS = 12


def go(world: World) -> None:
    """Let everything go on."""
    survive(world, world.settle)


def plain(_world: World) -> None:
    """Nobody does anything."""


def paused(world: World) -> None:
    """The parent is paused and resumed."""
    send(world, K.PAUSE, world.run)
    go(world)
    send(world, K.RESUME, world.run)


def stopped(world: World) -> None:
    """The parent is stopped."""
    send(world, K.STOP, world.run)


def paused_and_stopped(world: World) -> None:
    """The parent is stopped while it is paused."""
    send(world, K.PAUSE, world.run)
    go(world)
    send(world, K.STOP, world.run)


def child_handled(world: World) -> None:
    """The child is paused by hand, then the parent is, and both are resumed."""
    send(world, K.PAUSE, child_of(world))
    go(world)
    send(world, K.PAUSE, world.run)
    go(world)
    send(world, K.RESUME, world.run)


def child_stopped(world: World) -> None:
    """The child is stopped by hand."""
    send(world, K.STOP, child_of(world))


def recovered(world: World) -> None:
    """The child is stopped by hand, which fails the parent; the parent is recovered."""
    child_stopped(world)
    let_end(world)
    send(world, K.RECOVER, world.run)


STORIES = (plain, paused, stopped, paused_and_stopped, child_handled, child_stopped, recovered)


def tell(world: World, story: Callable[[World], None]) -> None:
    """Run a parent and its child, of which the second task takes a while, through a story to the end."""
    kid = WorkflowDefinition(name="kid", tasks=(a_task("x"), a_task("y", "x", delay_s=5.0)))
    world.rig.deploy(kid)
    world.submit(a_sub("kid"), a_task("z", "sub"))
    child_of(world)
    story(world)
    let_end(world)
    look_over(world)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_master_may_die_at_any_point(make_world: MakeWorld, story: Callable[[World], None]) -> None:
    """Another one goes on: one child, no mail lost or doubled, and the same end as without the crash."""
    world = make_world(by_hand=False)
    deaths = different_deaths(world, lambda: tell(world, story))
    expected, ends = list(runs(world).values()), {}
    for number, point in sampled(world, deaths, every=6).items():
        another = make_world(by_hand=False)
        with dying_at(number):
            tell(another, story)
        ends[f"{number}: {point}"] = list(runs(another).values())

    assert len(ends) > 1
    assert {death: end for death, end in ends.items() if end != expected} == {}


@dataclass(slots=True)
class Shaky:
    """A committer of which one commit of three fails, before or after it is really done."""

    real: Committer
    error: Exception
    chance: random.Random
    commits: bool = False

    def commit(self, changes: Changes, leases: Leases) -> datetime:
        """Commit, or fail."""
        if self.chance.random() > 1 / 3:
            return self.real.commit(changes, leases)
        if self.commits:
            self.real.commit(changes, leases)
        raise self.error


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
@pytest.mark.parametrize(
    ("error", "commits"),
    [
        (StoreUnavailable("away"), False),
        (CommitInDoubt("not done"), False),
        (CommitInDoubt("done"), True),
        (RuntimeError("a bug"), False),
    ],
    ids=["away", "in doubt", "done all the same", "bug"],
)
def test_any_commit_may_fail(
    make_world: MakeWorld, story: Callable[[World], None], error: Exception, *, commits: bool
) -> None:
    """Neither a child nor mail is lost or doubled."""
    world = make_world(by_hand=False)
    world.rig.committer = Shaky(world.rig.commit, error, random.Random(1), commits)  # noqa: S311  repeatable

    tell(world, story)


def test_zombie_starts_no_child(make_world: MakeWorld) -> None:
    """Its batch is fenced, and the child would be part of it; the next master starts the only one."""
    world = make_world(by_hand=False)
    world.rig.deploy(WorkflowDefinition(name="kid", tasks=(a_task("x"),)))
    world.submit(a_sub("kid"))
    world.read()
    world.step()  # the parent has begun; the child is made, and its beginning waits for the next turn
    with lease_moved_on(world), pytest.raises(LeaseLost):
        world.step()
    assert list(runs(world)) == [world.run]

    let_end(world)
    look_over(world)
    assert list(runs(world).values()) == [WorkflowState.SUCCESS] * 2


@pytest.mark.parametrize("seed", range(SEEDS))
def test_five_deep_under_random_commands(make_world: MakeWorld, seed: int) -> None:
    """Pause, resume and stop at any level and any moment, with masters that die: all ends, and agrees."""
    chance = random.Random(seed)  # noqa: S311  repeatable
    world = make_world(by_hand=False, seed=seed)
    world.run = world.rig.submit(deploy_chain(world, DEPTH, retries=seed % 2, retry_delay_s=2.0))
    stops = chance.random() < 0.5
    with dying_at(chance.randrange(20, 200)):
        for _ in range(25):
            kinds = [K.PAUSE, K.RESUME, K.RESUME, *([K.STOP] if stops and chance.random() < 0.1 else [])]
            send(world, chance.choice(kinds), chance.choice(list(runs(world))))
            for _ in range(chance.randrange(6)):
                survive(world, world.rig.turn)
            world.rig.clock.advance(chance.choice([0.0, 0.5, 3.0]))
        let_end(world)

    look_over(world)
    if not stops:
        assert list(runs(world).values()) == [WorkflowState.SUCCESS] * DEPTH


def test_five_deep_all_is_paused_resumed_and_stopped_from_the_top(make_world: MakeWorld) -> None:
    """Each reaches the last, and comes back to the first."""
    world = make_world()
    world.run = world.rig.submit(deploy_chain(world, DEPTH))
    for _ in range(DEPTH):
        world.settle()
        order = world.taken()
        world.worker.running(order)
        if len(runs(world)) < DEPTH:
            world.worker.result(order)
    assert list(runs(world).values()) == [WorkflowState.RUNNING] * DEPTH

    send(world, K.PAUSE, world.run)
    world.settle()
    assert set(runs(world).values()) == {WorkflowState.PAUSING}  # the task at the bottom runs
    world.worker.result(order)
    world.settle()
    assert set(runs(world).values()) == {WorkflowState.PAUSED}
    send(world, K.RESUME, world.run)
    world.settle()
    assert set(runs(world).values()) == {WorkflowState.RUNNING}
    send(world, K.STOP, world.run)
    world.settle()
    let_end(world)

    look_over(world)
    assert set(runs(world).values()) == {WorkflowState.STOPPED}
