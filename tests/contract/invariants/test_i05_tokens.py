"""I5: DISPATCH applies to a SUBMITTED attempt only; an event of an older dispatch or attempt is stale."""

from collections.abc import Callable

import pytest
from sqlalchemy import update

from orchestrator.core.event import RejectReason, TaskRunning
from orchestrator.core.instance import TaskInstance
from orchestrator.core.status import TaskState
from orchestrator.store import schema
from orchestrator.store.session import writing
from tests.contract.invariants.cases import claimed, dispatched, paused, running, waiting_for_retry
from tests.contract.invariants.sayings import SAYINGS
from tests.world import World


@pytest.mark.parametrize(
    "arrange", [dispatched, running, waiting_for_retry, paused], ids=lambda one: one.__name__
)
def test_dispatch_applies_to_a_submitted_attempt_only(
    world: World, arrange: Callable[[World], object]
) -> None:
    """In any other state it is a repeat and changes nothing.

    Teeth: fails without the look at SUBMITTED in `handle_dispatched` (parked, by an illegal transition).
    """
    arrange(world)
    rows = world.database()

    world.say_dispatched(world.attempt("first"))
    world.settle()

    assert world.database() == rows
    assert world.rig.master.lanes.parked == {}


def rejected(world: World) -> TaskInstance:
    """Return the row as it was before its worker gave the hand-over back."""
    claimed(world)
    before = world.attempt("first")
    (order,) = world.worker.held.values()
    world.worker.reject(order, RejectReason.DRAINING)
    world.settle()
    world.pass_time(2)
    return before


def retried(world: World) -> TaskInstance:
    """Return the row of the attempt that a retry has superseded."""
    waiting_for_retry(world)
    return world.rows()[0]


@pytest.mark.parametrize("saying", SAYINGS)
@pytest.mark.parametrize("arrange", [rejected, retried], ids=lambda one: one.__name__)
def test_what_is_said_of_an_older_hand_over_is_stale(
    world: World, arrange: Callable[[World], TaskInstance], saying: str
) -> None:
    """Token before state: the older attempt or dispatch changes nothing, and its worker shall stop it.

    Teeth: fails without the first comparison of `check_event`.
    """
    older = arrange(world)
    assert older.token < world.attempt("first").token
    rows = world.database()

    entry = SAYINGS[saying](world, older)
    world.settle()

    assert world.database() == rows
    assert entry is None or world.verdict(entry) == "stale"


def test_an_event_ahead_of_memory_reloads_the_run(world: World) -> None:
    """Memory is behind the row: the run is loaded again and the event applies; it is neither stale nor illegal.

    Teeth: fails without `self._reload([number])` for `batch.ahead` in `Loop._act`.
    """
    dispatched(world)
    _write_behind_the_masters_back(world, dispatch=5, ticket="new")

    entry = world.say(world.attempt("first"), TaskRunning)
    world.settle()

    assert world.verdict(entry) == "ok"
    assert world.attempt("first").state is TaskState.RUNNING
    world.assert_memory_equals_rows()


def test_an_event_ahead_of_the_database_does_not_exist(world: World) -> None:
    """Even after a reload nobody knows that hand-over: stale, nothing changes, and nothing is parked."""
    dispatched(world)
    rows = world.database()

    entry = world.say(world.attempt("first"), TaskRunning, dispatch=99)
    world.settle()

    assert world.verdict(entry) == "stale"
    assert world.database() == rows
    assert world.rig.master.lanes.parked == {}


def _write_behind_the_masters_back(world: World, **values: object) -> None:
    with writing(world.rig.engine) as connection:
        attempts, runs = schema.task_instance, schema.workflow_instance
        where = attempts.c.workflow_instance_id == world.run
        connection.execute(update(attempts).where(where).values(**values))
        bumped = update(runs).where(runs.c.id == world.run)
        connection.execute(bumped.values(revision=runs.c.revision + 1))
