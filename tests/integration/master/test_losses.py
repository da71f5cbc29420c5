"""Losses: a worker that is gone loses its attempts; nobody is accused before all that was said was read."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest

from orchestrator.core.event import CHILD_DIED
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.errors import BrokerUnavailable, StoreUnavailable
from tests.contract.invariants.faults import raising
from tests.world import HandWorker, World, a_task

LOST_S = 15
OUTAGE_S = 60


def running(world: World) -> None:
    """The one task runs."""
    world.submit(a_task("only", retries=0))
    world.started()


def states(world: World) -> list[tuple[int, TaskState]]:
    """Return attempts and their states."""
    return [(row.attempt, row.state) for row in world.rows()]


def test_a_silent_worker_loses_its_attempt_and_no_retry_is_used(world: World) -> None:
    """After the loss limit, not before: LOST, and a new attempt goes out."""
    running(world)
    world.worker.silent = True

    world.pass_time(LOST_S - 2)
    assert states(world) == [(1, TaskState.RUNNING)]
    world.pass_time(6)

    assert states(world) == [(1, TaskState.LOST), (2, TaskState.DISPATCHED)]
    assert world.attempt("only").failures == 0


def test_a_worker_that_has_just_begun_something_is_not_silent(world: World) -> None:
    """It came back after a long silence, and the last look at the heartbeats was before that.

    Teeth: fails without `Reaper.heard`.
    """
    world.pass_time(1)
    world.worker.silent = True
    world.pass_time(LOST_S + 6)
    running(world)

    world.pass_time(6)
    assert states(world) == [(1, TaskState.RUNNING)]
    world.pass_time(LOST_S)
    assert states(world)[0] == (1, TaskState.LOST)


def test_a_restarted_worker_loses_its_attempts_at_once(world: World) -> None:
    """ONLINE stands behind all that its predecessor said."""
    running(world)

    world.replace_worker("w1-2").online(world.slot)
    world.settle()

    assert states(world) == [(1, TaskState.LOST), (2, TaskState.DISPATCHED)]
    assert world.finish() is WorkflowState.SUCCESS


def test_an_online_from_an_older_copy_of_redis_accuses_nobody_who_lives(world: World) -> None:
    """The present incarnation was heard after that ONLINE was written: it speaks of an earlier start.

    Teeth: fails without `was_heard_after` in `Reaper.online`.
    """
    running(world)
    world.pass_time(5)
    predecessor = HandWorker(world.rig, world.worker.name, "w1-0")
    now, world.streams.now = world.streams.now, lambda: datetime(2020, 1, 1, tzinfo=UTC)

    entry = predecessor.online(world.slot)
    world.streams.now = now
    world.settle()

    assert world.verdict(entry) == "ok"
    assert states(world) == [(1, TaskState.RUNNING)]


def test_what_a_predecessor_said_before_it_died_counts(world: World) -> None:
    """The RESULT stands before the ONLINE: no loss, no second attempt."""
    running(world)
    (order,) = world.worker.held.values()
    world.worker.result(order)

    world.replace_worker("w1-2").online(world.slot)
    world.settle()

    assert states(world) == [(1, TaskState.SUCCESS)]


def test_after_an_outage_of_redis_results_that_wait_are_read_before_anybody_is_accused(world: World) -> None:
    """Redis was away for a minute, nobody could beat: the RESULT that comes late is in time.

    Teeth: fails without the look at `Silence.may_accuse` in `Reaper._accuse`.
    """
    running(world)
    (order,) = world.worker.held.values()
    world.streams.away = world.broker.away = True
    world.worker.silent = True
    for _ in range(OUTAGE_S):
        world.rig.clock.advance(1.0)
        with suppress(BrokerUnavailable):
            world.rig.master.membership.step()
        world.rig.turn()

    world.streams.away = world.broker.away = False
    world.rig.master.membership.step()
    world.worker.silent = False
    world.pass_time(8)
    world.worker.result(order)
    world.settle()

    assert states(world) == [(1, TaskState.SUCCESS)]


def test_after_an_outage_of_the_database_results_that_wait_are_handled_before_anybody_is_accused(
    world: World,
) -> None:
    """The RESULT stood in the stream while the worker left: it counts."""
    running(world)
    (order,) = world.worker.held.values()

    with raising(StoreUnavailable("gone"))(world):
        world.worker.result(order)
        world.worker.silent = True
        world.pass_time(OUTAGE_S)
    world.pass_time(10)

    assert states(world) == [(1, TaskState.SUCCESS)]


def test_a_reader_that_lags_keeps_everybody_from_being_accused(world: World) -> None:
    """Silence counts only up to where the streams were read: without reading nobody is lost.

    Teeth: fails without `read >= due` in `Silence.may_accuse`.
    """
    running(world)
    world.worker.silent = True
    reader, world.rig.master.reader._source = world.rig.master.reader._source, _Deaf()  # type: ignore[assignment]

    world.pass_time(120, tick_s=3.0)
    assert states(world) == [(1, TaskState.RUNNING)]
    world.rig.master.reader._source = reader
    world.pass_time(6)

    assert states(world)[0] == (1, TaskState.LOST)


class _Deaf:
    """Streams from which nothing can be read at the moment."""

    def read(self, *_args: object, **_options: object) -> None:
        """Fail."""
        raise StoreUnavailable("gone")

    claim_pending = ensure_groups = read


def test_losses_of_workers_do_not_count_as_deaths_of_the_attempt_itself(world: World) -> None:
    """Two deaths and a lost worker are neither three deaths nor ten losses: the attempt goes on."""
    # Teeth: fails with one counter for both.
    world.submit(a_task("only"))
    world.started()
    world.replace_worker("w1-2").online(world.slot)
    world.settle()
    for _ in range(2):
        world.worker.result(world.started(), TaskState.FAILURE, error=CHILD_DIED, reason="SIGKILL")
        world.settle()

    assert world.finish() is WorkflowState.SUCCESS


@pytest.mark.parametrize(("error", "limit"), [(CHILD_DIED, 3), (None, 10)], ids=["children", "workers"])
def test_an_attempt_that_is_lost_too_often_fails(world: World, error: str | None, limit: int) -> None:
    """Three deaths of its own child in a row, or ten losses of a worker: FAILURE, reason `lost`, no retry."""
    world.submit(a_task("only", retries=5))
    for number in range(1, limit + 1):
        order = world.started()
        assert order.attempt == number
        if error:
            world.worker.result(order, TaskState.FAILURE, error=error, reason="SIGKILL")
        else:
            world.replace_worker(f"w1-{number + 1}").online(world.slot)
        world.settle()

    assert world.state is WorkflowState.FAILURE
    assert states(world) == [
        *((number, TaskState.LOST) for number in range(1, limit)),
        (limit, TaskState.FAILURE),
    ]
    assert (world.attempt("only").reason or "").startswith("lost: ")
