"""Overload: above the thresholds nothing new starts; reports are handled all the same."""

from sqlalchemy import Engine

from orchestrator.core.command import CommandKind
from orchestrator.core.status import WorkflowState
from orchestrator.master.ingredients import Limits
from orchestrator.master.overload import Overload
from tests.world import World, a_task


def overload(world: World, *, on: bool) -> None:
    """Let another master take over that thinks the machine is full, or does not."""
    world.rig._limits = Limits(memory=0.0 if on else 1.0)
    world.restart_master()


def test_an_overloaded_master_takes_no_start_and_goes_on_with_everything_else(world: World) -> None:
    """What runs ends, other commands are carried out, the START waits, counted and visible."""
    first = world.submit(a_task("only"), name="first")
    order = world.started()
    stopped = world.submit(a_task("only"), name="stopped")
    world.settle()
    overload(world, on=True)
    waiting = world.submit(a_task("only"), name="waiting")
    world.command(CommandKind.STOP, stopped)
    world.worker.result(order)
    world.pass_time(6)

    assert world.rig.state(first) is WorkflowState.SUCCESS
    assert world.rig.state(stopped) is WorkflowState.STOPPED
    assert world.rig.state(waiting) is WorkflowState.SUBMITTED
    shown = world.rig.master.status.document()
    assert (shown["overloaded"], shown["starts_refused"] >= 2) == ("memory", True)

    overload(world, on=False)
    assert world.finish() is WorkflowState.SUCCESS


def test_each_threshold_has_its_name() -> None:
    """The load, the memory, the inbox: the first one that is exceeded is the reason."""
    load, memory, inbox = [0.0], [0.0], [0.0]
    judge = Overload(lambda: inbox[0], 2.0, 0.9, lambda: load[0], lambda: memory[0])

    assert judge.look() is None
    inbox[0] = 0.81
    assert judge.look() == "inbox"
    memory[0] = 0.95
    assert judge.look() == "memory"
    load[0] = 2.1
    assert judge.look() == "cpu"


def test_a_full_inbox_makes_the_reader_wait(memory_engine: Engine) -> None:
    """Beyond the limit nothing is read: the streams keep it, and it is handled when there is room."""
    world = World(memory_engine, limits=Limits(memory=1.0, inbox=64))
    world.submit(a_task("only"))
    order = world.started()
    for _ in range(200):
        world.worker.running(order)

    world.read()
    assert len(world.rig.master.inbox) <= 64 + 16
    world.settle()

    assert world.streams.waiting == 0
