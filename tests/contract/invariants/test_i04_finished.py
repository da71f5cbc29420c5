"""I4: a finished attempt never changes state, whatever is still said about it."""

import pytest

from orchestrator.core.command import CommandKind
from orchestrator.core.status import TaskState
from tests.contract.invariants.sayings import SAYINGS
from tests.world import World, a_task

ENDINGS = (TaskState.SUCCESS, TaskState.FAILURE, TaskState.KILLED)


@pytest.mark.parametrize("others", [("other",), ()], ids=["run goes on", "run has ended"])
@pytest.mark.parametrize("saying", SAYINGS)
@pytest.mark.parametrize("ending", ENDINGS, ids=str)
def test_nothing_changes_an_attempt_that_its_worker_ended(
    world: World, ending: TaskState, saying: str, others: tuple[str, ...]
) -> None:
    """A late event of the worker that ended it is a repeat: its verdict is `ok`, no row changes.

    Teeth: fails without the `TASK_FINAL` branch of `check_event`.
    """
    world.submit(a_task("first"), *map(a_task, others))
    world.settle()
    world.worker.result(world.worker.take_all()["first"], ending)
    world.settle()
    rows = world.database()

    entry = SAYINGS[saying](world, world.attempt("first"))
    world.settle()

    assert world.database() == rows
    assert entry is None or world.verdict(entry) == "ok"
    assert world.rig.master.lanes.parked == {}


@pytest.mark.parametrize("saying", SAYINGS)
def test_nothing_changes_an_attempt_that_the_master_ended(world: World, saying: str) -> None:
    """It was recalled and killed: whoever still speaks for it is stale, and is stopped if it runs."""
    world.submit(a_task("first"), a_task("other"))
    world.settle()
    order = world.taken()
    (killed,) = [row for row in world.rows() if row.task != order.task]
    world.worker.running(order)
    world.command(CommandKind.STOP)
    world.settle()
    assert world.attempt(killed.task).state is TaskState.KILLED
    rows = world.database()

    entry = SAYINGS[saying](world, world.attempt(killed.task))
    world.settle()

    assert world.database() == rows
    assert entry is None or world.verdict(entry) == "stale"


def test_dispatch_after_running_changes_nothing(world: World) -> None:
    """The worker was faster than the dispatcher's own report."""
    world.submit(a_task("first"))
    world.started()
    rows = world.database()

    world.say_dispatched(world.attempt("first"))
    world.settle()

    assert world.database() == rows
    assert world.attempt("first").state is TaskState.RUNNING
