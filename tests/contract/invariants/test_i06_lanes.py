"""I6: events of one run are handled one at a time, in order; other runs go on while one fails."""

from orchestrator.core.command import CommandKind
from orchestrator.core.event import TaskRunning
from orchestrator.core.instance import TaskInstance
from orchestrator.core.status import TaskState, WorkflowState
from tests.contract.invariants.cases import paused
from tests.world import World, a_task


def test_another_run_goes_on_in_the_batch_in_which_one_fails(world: World) -> None:
    """The poison lane is cut off; the healthy run's event commits and is acknowledged in the same turn.

    Teeth: fails without the `except Exception` of `Batch.take`.
    """
    paused(world)
    sick = world.run
    well = world.submit(a_task("only"))
    world.settle()
    order = world.taken()
    poison = world.say(_attempt_of(world, sick), TaskRunning)  # PAUSED -> RUNNING has no edge
    healthy = world.worker.result(order)
    world.read()

    world.step()

    assert world.verdict(healthy) == "ok"
    assert world.verdict(poison) is None
    assert world.rig.state(well) is WorkflowState.SUCCESS
    assert list(world.rig.master.lanes.parked) == [sick]


def test_what_stands_before_the_failing_event_commits(world: World) -> None:
    """The lane is cut at the event that fails: what stands before it counts, what stands behind it waits."""
    world.submit(a_task("first"), a_task("other"))
    world.settle()
    order = world.taken()
    world.worker.running(order)
    world.command(CommandKind.PAUSE)
    world.settle()
    (waiting,) = [row for row in world.rows() if row.state is TaskState.PAUSED]

    good = world.worker.result(order)
    bad = world.say(waiting, TaskRunning)
    behind = world.add(good.payload)
    world.read()
    world.step()

    assert [world.verdict(one) for one in (good, bad, behind)] == ["ok", None, None]
    assert world.attempt(order.task).state is TaskState.SUCCESS
    assert world.attempt(waiting.task) == waiting
    world.assert_memory_equals_rows()


def test_events_of_one_run_are_decided_each_on_what_the_one_before_left(world: World) -> None:
    """RUNNING, RESULT, the successor's and so on: one batch, in order, ends the run's first two tasks."""
    world.submit(a_task("first"), a_task("second", "first"))
    world.settle()
    order = world.taken()

    world.worker.running(order, pid=1)
    world.worker.running(order, pid=2)
    world.worker.result(order, outputs={"n": 1})
    world.settle()

    first = world.attempt("first")
    assert (first.state, first.pid, first.outputs) == (TaskState.SUCCESS, 1, {"n": 1})
    assert world.attempt("second").state is TaskState.DISPATCHED


def _attempt_of(world: World, run: int) -> TaskInstance:
    world.run, kept = run, world.run
    row = world.attempt("first")
    world.run = kept
    return row
