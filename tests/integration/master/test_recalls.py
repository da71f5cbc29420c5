"""Recall: the master never guesses who has a hand-over; it takes the claim back, or learns who holds it."""

from contextlib import suppress

import pytest

from orchestrator.core.command import CommandKind
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.errors import BrokerUnavailable
from tests.world import World, a_task

PAUSE = CommandKind.PAUSE


def test_a_recall_that_is_won_pauses_the_attempt_and_its_message_never_starts(world: World) -> None:
    """The message is still in the queue: whoever takes it is refused."""
    world.submit(a_task("only"))
    world.settle()
    world.command(PAUSE)
    world.settle()

    assert world.state is WorkflowState.PAUSED
    assert world.attempt("only").dispatch == 2
    assert world.worker.take() is None


@pytest.mark.parametrize("says_running", [True, False], ids=["with RUNNING", "RESULT at once"])
def test_a_recall_that_is_lost_lets_the_holder_end_its_task(world: World, *, says_running: bool) -> None:
    """A worker has claimed it: what it reports decides."""
    world.submit(a_task("only"))
    world.settle()
    order = world.taken()
    world.command(PAUSE)
    world.settle()
    assert world.state == "PAUSING"
    assert world.attempt("only").worker == "w1@rig"

    if says_running:
        world.worker.running(order)
        world.settle()
    world.worker.result(order)
    world.settle()

    assert world.state is WorkflowState.SUCCESS


def test_a_holder_that_vanishes_before_it_said_anything_is_lost(world: World) -> None:
    """Judged by its heartbeat: the attempt is replaced, PAUSED as the run is pausing."""
    world.submit(a_task("only"))
    world.settle()
    world.taken()
    world.command(PAUSE)
    world.settle()
    world.worker.silent = True

    world.pass_time(40)

    assert [(row.attempt, row.state) for row in world.rows()] == [(1, TaskState.LOST), (2, TaskState.PAUSED)]
    assert world.state is WorkflowState.PAUSED


def test_a_living_holder_that_no_longer_lists_a_claimed_attempt_has_lost_it(world: World) -> None:
    """Claimed, and its child died before it wrote anything: the worker lives on and knows nothing of it.

    Another master published it and died before DISPATCH was committed.
    """
    world.submit(a_task("only"))
    world.read()
    world.step()
    world.rig.master.messenger.step()
    world.taken()
    world.restart_master()
    world.command(PAUSE)
    world.settle()
    assert world.attempt("only").incarnation == "w1-1"
    world.worker.held.clear()

    world.pass_time(90)

    assert [(row.attempt, row.state) for row in world.rows()] == [(1, TaskState.LOST), (2, TaskState.PAUSED)]


@pytest.mark.parametrize("reading_lags_s", [0.0, 0.3], ids=["in step", "as threads do"])
def test_a_running_attempt_that_its_living_worker_no_longer_lists_is_replaced(
    world: World, reading_lags_s: float
) -> None:
    """The worker lives and does not know it any more: LOST, after twice the loss limit.

    Teeth: fails (with a lag) with `now` in the place of `due` in `Reaper.step`.
    """
    world.submit(a_task("only"))
    world.started()
    world.worker.held.clear()

    for _ in range(45):
        world.rig.clock.advance(1.0 - reading_lags_s)
        world.worker.beat(world.rig.beats)
        world.rig.master.membership.step()
        world.read()
        world.rig.clock.advance(reading_lags_s)
        while world.step():
            pass

    assert world.rows()[0].state is TaskState.LOST
    assert world.attempt("only").attempt == 2


def test_an_order_that_nobody_takes_is_recalled_and_goes_out_again(world: World) -> None:
    """The dispatch timeout never guesses: it takes the claim and dispatches once more."""
    world.submit(a_task("only"))
    world.settle()
    world.broker.queues.clear()

    world.pass_time(70)

    assert world.broker.published == [f"{world.run}:only:1:1", f"{world.run}:only:1:2"]
    assert world.finish() is WorkflowState.SUCCESS


def test_an_outage_does_not_count_for_the_dispatch_timeout(world: World) -> None:
    """PROTOCOL 6: half a minute, an hour without Redis, and then it still has the other half, not one re-send.

    Teeth: fails without `away_s` in `Intake._held_back`.
    """
    world.pass_time(30)  # until Redis' first generation is not new any more
    world.submit(a_task("only"))
    world.settle()
    first = list(world.broker.published)
    world.broker.queues.clear()
    world.pass_time(30)
    world.streams.away = world.broker.away = True
    for _ in range(360):
        world.rig.clock.advance(10.0)
        with suppress(BrokerUnavailable):
            world.rig.master.membership.step()
        world.rig.turn()

    world.streams.away = world.broker.away = False
    world.pass_time(25)
    assert world.broker.published == first
    world.pass_time(20)

    assert len(world.broker.published) == len(first) + 1


def test_an_hour_without_a_master_does_not_count_for_the_dispatch_timeout(world: World) -> None:
    """The next one gives it the whole time: nobody could have heard that it started."""
    world.submit(a_task("only"))
    world.settle()
    first = list(world.broker.published)
    world.broker.queues.clear()
    world.rig.clock.advance(3600)
    world.restart_master()

    world.pass_time(55)
    assert world.broker.published == first
    world.pass_time(15)

    assert len(world.broker.published) == len(first) + 1


def test_where_there_is_no_worker_no_messages_pile_up(world: World) -> None:
    """A repeat each minute would fill a queue that nobody empties; what waits there starts when a worker comes.

    Teeth: fails without `_can_be_taken` in `Intake._held_back`.
    """
    world.submit(a_task("only"))
    world.worker.silent = True
    world.pass_time(60)
    published = list(world.broker.published)  # one message, or two: Redis' first generation is a new one
    world.pass_time(3600, tick_s=20.0)
    assert world.broker.published == published

    world.worker.silent = False

    assert world.finish() is WorkflowState.SUCCESS
    assert world.broker.published == published


def test_a_resume_overtakes_the_recall(world: World) -> None:
    """Paused and resumed before the answer came: the attempt goes out again, and starts once."""
    world.submit(a_task("only"))
    world.settle()
    world.command(PAUSE)
    world.step()
    world.command(CommandKind.RESUME)
    world.step()

    assert world.finish() is WorkflowState.SUCCESS
    assert len(world.worker.ran) == 1
