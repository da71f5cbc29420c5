"""Mail that a person buries is answered in the same transaction: nobody waits for ever, whatever dies."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import pytest
from sqlalchemy import select

from orchestrator.core.changes import Changes, Leases
from orchestrator.core.command import GIVEN_UP, CommandKind
from orchestrator.core.definition import Execution, WorkflowDefinition
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.master.ingredients import Limits
from orchestrator.master.request import Wish
from orchestrator.store import schema
from orchestrator.store.pools import Pools
from orchestrator.store.session import reading
from tests.contract.invariants.conftest import MakeWorld
from tests.contract.invariants.deaths import different_deaths, dying_at, sampled
from tests.contract.invariants.family import a_sub, child_of, commands, let_end, runs, send, survive
from tests.world import World, a_task

K, W = CommandKind, WorkflowState
Story = Callable[[World], CommandKind]
OWN = frozenset({K.CHILD_CHANGED, K.PASS_ON})
"""Mail that the parent gets; what its children get are the other kinds."""


@dataclass(slots=True)
class Choking:
    """A committer that cannot stand one kind of mail in the family of the world's run."""

    world: World
    kind: CommandKind

    def commit(self, changes: Changes, leases: Leases) -> datetime:
        """Commit, unless such mail is applied; what stands for mail that was buried is none."""
        rows = schema.command.c
        receiver = rows.workflow_instance_id
        is_concerned = receiver == self.world.run if self.kind in OWN else receiver != self.world.run
        found = select(rows.body).where(
            rows.id.in_(changes.done_commands), rows.kind == self.kind, is_concerned
        )
        with reading(self.world.rig.engine) as connection:
            bodies = connection.execute(found).scalars().all()
        if any(GIVEN_UP not in body for body in bodies):
            raise RuntimeError(f"a bug about {self.kind}")
        return self.world.rig.commit.commit(changes, leases)


def choke(world: World, kind: CommandKind) -> None:
    """Let the world's commits fail about this kind of mail."""
    world.rig.committer = Choking(world, kind)


def bury(world: World) -> None:
    """Bury what parks runs, once there is something, until no run is parked and no mail waits."""
    before = refused(world)
    for _ in range(100):
        survive(world, world.settle)
        parked, waiting = world.rig.master.lanes.parked, commands(world)
        if refused(world) != before and not parked and not waiting:
            return
        for number in [number for number, one in parked.items() if one.command_id in waiting]:
            world.rig.board.requests.append({"do": Wish.BURY.value, "workflow_instance_id": number})
        world.rig.master.control.step()
        world.rig.clock.advance(3.0)
    raise AssertionError(f"it fails for ever: {world.rig.master.lanes.parked}")


def wait(world: World, seconds: float) -> None:
    """Let time pass."""
    for _ in range(round(seconds / 3)):
        world.rig.clock.advance(3.0)
        survive(world, world.settle)


def with_kid(world: World, *names: str, delay_s: float = 30.0, **fields: object) -> None:
    """Submit a run with a child for each of these tasks; what a child does takes a while."""
    world.rig.deploy(WorkflowDefinition(name="kid", tasks=(a_task("x", delay_s=delay_s),)))
    world.submit(*(a_sub("kid", name=name, **fields) for name in names or ("sub",)))


def refused(world: World) -> list[str]:
    """Return the kinds of the commands that were refused."""
    return [row["kind"] for row in world.database()["error_command"]]


# --- stories ---------------------------------------------------------------------------------


def recovered(world: World) -> CommandKind:
    """The child was stopped; it does not hear that its parent was recovered."""
    with_kid(world)
    send(world, K.STOP, child_of(world))
    let_end(world)
    choke(world, K.RECOVER)
    send(world, K.RECOVER, world.run)
    return K.RECOVER


def born(world: World) -> CommandKind:
    """The child does not begin."""
    with_kid(world)
    choke(world, K.START)
    return K.START


def ended(world: World) -> CommandKind:
    """The child's end is not taken over."""
    with_kid(world, retries=2)
    choke(world, K.CHILD_CHANGED)
    wait(world, 33.0)
    return K.CHILD_CHANGED


def stopped(world: World) -> CommandKind:
    """The child does not hear that its parent is stopped, and ends by itself."""
    with_kid(world)
    child_of(world)
    choke(world, K.STOP)
    send(world, K.STOP, world.run)
    return K.STOP


def passed_on(world: World) -> CommandKind:
    """A pause reaches the first child only; a person holds the last one, which was to hear of it, too."""
    with_kid(world, "s0", "s1", "s2")
    child_of(world)
    survive(world, world.settle)
    send(world, K.PAUSE, max(runs(world)))
    survive(world, world.settle)
    choke(world, K.PASS_ON)
    send(world, K.PAUSE, world.run)
    return K.PASS_ON


ENDS: Mapping[Story, list[WorkflowState]] = {
    recovered: [W.FAILURE, W.STOPPED],
    born: [W.FAILURE, W.FAILURE],
    ended: [W.FAILURE, W.SUCCESS],
    stopped: [W.SUCCESS, W.SUCCESS],
    passed_on: [W.PAUSED, W.PAUSED, W.SUCCESS, W.PAUSED],
}


def look_over(world: World, story: Story, kind: CommandKind) -> None:
    """The parent comes to rest without the mail; what is held ends when it is let go."""
    wait(world, 60.0)
    assert list(runs(world).values()) == ENDS[story]
    assert refused(world) == [kind]
    let_end(world)


@pytest.mark.parametrize("story", ENDS, ids=lambda story: story.__name__)
def test_nobody_waits_for_buried_mail_wherever_the_master_dies(make_world: MakeWorld, story: Story) -> None:
    """The burial and its answer are one transaction: neither is lost, and neither comes twice.

    Teeth: without `answer` in `RefusedItem` the parents of all stories but `stopped` wait for ever.
    """
    limits = Limits(memory=1.0, step_rows=1)
    world = make_world(by_hand=False, limits=limits)
    kind = story(world)
    deaths = different_deaths(world, lambda: bury(world))
    look_over(world, story, kind)

    for number in sampled(world, deaths, every=4):
        another = make_world(by_hand=False, limits=limits)
        story(another)
        with dying_at(number):
            bury(another)
        look_over(another, story, kind)
    assert len(deaths) > 3


def test_task_says_why_it_failed_and_recover_takes_its_child_over(make_world: MakeWorld) -> None:
    """The child that has ended does not run again, although its task has retries."""
    world = make_world(by_hand=False)
    ended(world)
    bury(world)
    said = "its run 2 ended SUCCESS, but the word of it was buried by request"
    assert str(world.attempt("sub").reason).startswith(said.replace("2", str(max(runs(world)))))

    world.rig.committer = world.rig.commit
    send(world, K.RECOVER, world.run)
    let_end(world)

    assert list(runs(world).values()) == [W.SUCCESS, W.SUCCESS]
    assert (world.attempt("sub").attempt, world.attempt("sub").state) == (2, TaskState.SUCCESS)


def test_answer_that_fails_as_well_is_buried_for_good(make_world: MakeWorld) -> None:
    """It would come for ever otherwise; the run is where it was, and a stop ends it."""
    world = make_world(by_hand=False)

    @dataclass(slots=True)
    class Deaf:
        def commit(self, changes: Changes, leases: Leases) -> datetime:
            if any(one.head.id == world.run for one in changes.instances):
                raise RuntimeError("a bug in this run")
            return world.rig.commit.commit(changes, leases)

    ended(world)
    world.rig.committer = Deaf()
    bury(world)
    assert (refused(world), runs(world)[world.run]) == (["CHILD_CHANGED"] * 2, W.RUNNING)

    world.rig.committer = world.rig.commit
    send(world, K.STOP, world.run)
    let_end(world)


def test_grant_and_wake_that_were_buried_come_again(make_world: MakeWorld) -> None:
    """What pools and turns owe stands in rows: the sweeps tell it once more.

    Teeth: fails with an `answer_to_buried` that ends them.
    """
    world = make_world(by_hand=False)
    Pools(world.rig.engine).set("few", 1)
    serial = WorkflowDefinition(
        name="ledger", tasks=(a_task("a", pool="few"),), execution=Execution.SERIAL_WAIT
    )
    run = world.rig.submit(serial)
    for kind in (K.WAKE, K.GRANTED):
        choke(world, kind)
        bury(world)
        assert refused(world)[-1] == kind
        world.rig.committer = world.rig.commit

        world.rig.master.turnkeeper.step()
        world.rig.master.sweeper.step()
    let_end(world)

    assert world.rig.state(run) is W.SUCCESS
