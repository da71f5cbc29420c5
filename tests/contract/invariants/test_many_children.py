"""Many children: a word to all of them goes out in parts, each one transaction, and no crash loses the rest."""

import pytest

from orchestrator.core.command import CommandKind
from orchestrator.core.definition import WorkflowDefinition
from orchestrator.core.status import WorkflowState
from orchestrator.master.ingredients import Limits
from tests.contract.invariants.conftest import MakeWorld
from tests.contract.invariants.deaths import dying_at
from tests.contract.invariants.family import a_sub, let_end, look_over, runs, send, survive
from tests.integration.master.test_batches import Recording
from tests.world import World, a_task

K = CommandKind
CHILDREN = 5
AT_ONCE = 2
LONG_S = 24 * 3600.0
"""A child that nobody asks to stop takes longer than the test waits."""


def with_children(make_world: MakeWorld) -> World:
    """Return a world with a run that waits for all its children, and may ask two of them in a step."""
    world = make_world(by_hand=False, limits=Limits(memory=1.0, step_rows=AT_ONCE))
    world.rig.deploy(WorkflowDefinition(name="kid", tasks=(a_task("x", delay_s=LONG_S),)))
    world.submit(*(a_sub("kid", name=f"s{number}") for number in range(CHILDREN)))
    world.settle()
    assert list(runs(world).values()) == [WorkflowState.RUNNING] * (1 + CHILDREN)
    return world


def asked(world: World, *kinds: CommandKind) -> None:
    """Ask the parent for these things, one right behind the other, and let all end."""
    for kind in kinds:
        send(world, kind, world.run)
        survive(world, world.read)
        survive(world, world.step)
    let_end(world)
    look_over(world)


@pytest.mark.parametrize("kinds", [(K.STOP,), (K.PAUSE, K.STOP)], ids=" ".join)
def test_every_child_is_stopped_wherever_the_master_dies(
    make_world: MakeWorld, kinds: tuple[CommandKind, ...]
) -> None:
    """Also those that a pause was still being passed on to.

    Teeth: a PASS_ON that is lost, or is no part of the step that leaves children over, leaves them running.
    """
    with dying_at(None) as reached:
        world = with_children(make_world)
        began = len(reached)
        asked(world, *kinds)
    assert set(runs(world).values()) == {WorkflowState.STOPPED}
    step = 1 if world.rig.engine.dialect.name == "sqlite" else 17

    for number in range(1, len(reached) - began + 1, step):
        world = with_children(make_world)
        with dying_at(number):
            asked(world, *kinds)
        assert set(runs(world).values()) == {WorkflowState.STOPPED}, reached[began + number - 1]


def test_no_transaction_asks_more_children_than_a_step_may(make_world: MakeWorld) -> None:
    """The first part is in the transaction of the command; each other one in one of its own."""
    world = with_children(make_world)
    recording = world.rig.committer = Recording(world)

    asked(world, K.STOP)

    stops = [sum(mail.kind is K.STOP for mail in changes.mail) for changes in recording.written]
    assert [number for number in stops if number] == [2, 2, 1]


def test_pause_and_resume_reach_every_child_and_come_back(make_world: MakeWorld) -> None:
    """A part at a time, there and back."""
    world = with_children(make_world)

    send(world, K.PAUSE, world.run)
    world.settle()
    assert set(runs(world).values()) == {WorkflowState.PAUSED}
    send(world, K.RESUME, world.run)
    world.settle()
    assert set(runs(world).values()) == {WorkflowState.RUNNING}
