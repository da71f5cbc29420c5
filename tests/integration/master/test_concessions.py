"""Giving way with a loop that is far behind: each attempt is told once, in parts, and again if it got lost."""

from datetime import datetime

from orchestrator.core.changes import Changes, Leases
from orchestrator.core.notice import Served, Unserved
from orchestrator.master.alarms import Patience
from orchestrator.master.concessions import MOST_TOLD, Concessions
from orchestrator.master.effects import Effects
from orchestrator.master.gaps import Gaps
from orchestrator.master.items import NoticeItem
from orchestrator.store.pools import Pools
from tests.world import World, a_task

LOST_S = 15.0


class Looks:
    """Concessions that look when the test says so, beside a loop that takes no turn.

    Args:
        world: What they look at.
        most: So many attempts are told at a look.
    """

    def __init__(self, world: World, most: int = MOST_TOLD) -> None:
        master = world.rig.master
        self._clock = world.rig.clock
        self._inbox = master.inbox
        self._gaps = Gaps(master.desk, master.lanes, master.membership, master.bulletin, LOST_S)
        effects = Effects(master.desk, Patience(dispatch_timeout_s=60.0, kill_s=5.0, resend_s=10.0))
        self._concessions = Concessions(master.desk, master.lanes, effects, self._gaps, most)

    def look(self) -> list[str]:
        """Look once, when a gap has lasted; return the tasks that were told, in order; the loop hears it later."""
        before = self._inbox.take_notices()
        self._gaps.step()
        self._clock.advance(LOST_S)
        self._gaps.step()
        self._concessions.step()
        told = self._inbox.take_notices()
        self._inbox.put_notices([*before, *told])
        notices = [one.notice for one in told if isinstance(one, NoticeItem)]
        return [one.task for one in notices if isinstance(one, Served | Unserved)]


class Failing:
    """A committer with a bug: the lane is parked, and what was to be decided is dropped."""

    def commit(self, changes: Changes, leases: Leases) -> datetime:
        """Fail."""
        raise RuntimeError(f"a bug: {len(changes.instances)} runs, {len(leases.epochs)} slots")


def in_line(world: World, *tasks: str) -> None:
    """Let tasks that nobody can run stand in line for a slot of a pool that has none."""
    Pools(world.rig.engine).set("few", 0)
    world.submit(*(a_task(name, pool="few", worker_group="gpu") for name in tasks))
    world.settle()


def reasons(world: World, *tasks: str) -> list[str | None]:
    """Return why tasks wait."""
    return [world.attempt(task).reason for task in tasks]


def test_who_was_told_is_not_told_again_while_the_loop_is_behind(world: World) -> None:
    """However many looks there are before it takes its next turn."""
    in_line(world, "a", "b", "c")
    looks = Looks(world)

    assert [looks.look() for _ in range(3)] == [["a", "b", "c"], [], []]

    world.settle()
    assert reasons(world, "a", "b", "c") == ["no worker"] * 3


def test_long_line_is_told_in_parts(world: World) -> None:
    """So many at a look, the first in line first; half of them if another group has attempts, too."""
    in_line(world, "a", "b", "c", "d", "e")
    looks = Looks(world, most=2)
    assert [looks.look() for _ in range(4)] == [["a", "b"], ["c", "d"], ["e"], []]

    world.submit(
        a_task("f", pool="few", worker_group="tpu"), a_task("g", pool="few", worker_group="tpu"), name="other"
    )
    world.step()
    world.step()
    assert (looks.look(), looks.look(), looks.look()) == (["f"], ["g"], [])


def test_who_stands_in_another_way_is_told_of_that(world: World) -> None:
    """Back in line, once more without a worker: every time is one word."""
    in_line(world, "a")
    Looks(world).look()
    world.settle()
    assert reasons(world, "a") == ["no worker"]
    world.worker.serve("gpu")
    world.pass_time(5)
    assert reasons(world, "a") == ["pool"]

    world.replace_worker("w1-2")
    world.pass_time(40)

    assert reasons(world, "a") == ["no worker"]


def test_word_that_got_lost_with_its_run_is_said_again(world: World) -> None:
    """A run that memory forgets, and loads again, is told as if for the first time."""
    in_line(world, "a")
    looks = Looks(world)
    assert (looks.look(), looks.look()) == (["a"], [])

    world.rig.committer = Failing()
    world.step()
    assert list(world.rig.master.lanes.parked) == [world.run]
    world.rig.committer = world.rig.commit
    world.rig.clock.advance(1.0)
    world.step()

    assert looks.look() == ["a"]
