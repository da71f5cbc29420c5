"""A master that dies at any step is followed by one that goes on: the run ends, and nothing ran twice."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import pytest

from orchestrator.core.changes import Changes, Leases
from orchestrator.core.status import WorkflowState
from tests.world import Killed, World, a_task

Arm = Callable[[World, int], None]

DEATHS = range(5)
"""Which pass of the point is the last one."""


@dataclass(slots=True)
class Dying:
    """A committer beside which the master dies, once."""

    world: World
    when: str
    passes: int
    dead: bool = False

    def commit(self, changes: Changes, leases: Leases) -> datetime:
        """Commit, or die before or after it."""
        turn = self.passes == 0 and not self.dead
        self.passes -= 1
        self.dead = self.dead or turn
        if turn and self.when == "before":
            raise Killed
        now = self.world.rig.commit.commit(changes, leases)
        if turn:
            raise Killed
        return now


def at_commit(when: str) -> Arm:
    """Return what arms a death beside a commit."""

    def arm(world: World, passes: int) -> None:
        world.rig.committer = Dying(world, when, passes)

    return arm


def at_acknowledgement(when: str) -> Arm:
    """Return what arms a death beside an acknowledgement."""

    def arm(world: World, passes: int) -> None:
        world.streams.dies, world.streams.passes = when, passes

    return arm


def at_publishing(when: str) -> Arm:
    """Return what arms a death beside a publishing."""

    def arm(world: World, passes: int) -> None:
        world.broker.dies, world.broker.passes = when, passes

    return arm


POINTS = {
    "before commit": at_commit("before"),
    "after commit": at_commit("after"),
    "before acknowledge": at_acknowledgement("before"),
    "after acknowledge": at_acknowledgement("after"),
    "before publish": at_publishing("before"),
    "after publish": at_publishing("after"),
}


@pytest.mark.parametrize("passes", DEATHS)
@pytest.mark.parametrize("point", POINTS)
def test_the_next_master_goes_on_and_nothing_runs_twice(busy_world: World, point: str, passes: int) -> None:
    """A diamond with a retry ends SUCCESS with one run of each attempt, wherever its master died.

    Teeth: fails without `Effects.arm` on loading, and without the pending entries in `Reader._step`.
    """
    world = busy_world
    arm = POINTS[point]
    world.submit(
        a_task("first"),
        a_task("left", "first", delay_s=2.0),
        a_task("right", "first"),
        a_task("join", "left", "right"),
    )
    arm(world, passes)

    died = run_until_death(world)
    world.restart_master()
    world.rig.run(world.run)

    assert died or passes > 2
    assert world.state is WorkflowState.SUCCESS
    assert sorted(world.rig.worker.ran) == [
        f"{world.run}:{task}:1:1" for task in ("first", "join", "left", "right")
    ]
    assert {row.attempt for row in world.rows()} == {1}
    assert world.streams.waiting == 0


def run_until_death(world: World) -> bool:
    """Let the run go on; return whether its master died."""
    try:
        world.rig.run(world.run)
    except Killed:
        return True
    return False
