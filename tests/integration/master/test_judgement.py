"""Judgement: no healthy attempt is called lost, no old one comes back, and what lost its place is ended."""

from contextlib import suppress
from datetime import datetime

import pytest

from orchestrator.core.changes import Changes, Leases
from orchestrator.core.command import CommandKind
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.errors import BrokerUnavailable, StoreUnavailable
from orchestrator.master.inbox import Inbox
from orchestrator.master.silence import Silence
from orchestrator.testing.redis import MemoryBeats
from tests.world import World, a_task

LOST_S = 15
OUTAGE_S = 60


def running(world: World) -> None:
    """The one task runs."""
    world.submit(a_task("only", retries=0))
    world.started()


def states(world: World) -> list[tuple[int, TaskState]]:
    """Return attempts and their states."""
    return [(row.attempt, row.state) for row in world.rows()]


def be_without_redis(world: World, seconds: int) -> None:
    """Let time pass while Redis is away; the database is not."""
    world.streams.away = world.broker.away = True
    for _ in range(seconds):
        world.rig.clock.advance(1.0)
        with suppress(BrokerUnavailable):
            world.rig.master.membership.step()
        world.rig.turn()


def test_a_master_that_starts_while_redis_is_away_accuses_nobody(world: World) -> None:
    """It has never looked, so it has not missed anybody.

    Teeth: fails without `interrupted` in `Membership.step` and minus infinity in `Reaper._silent_since`.
    """
    running(world)
    world.streams.away = world.broker.away = True

    world.restart_master()
    be_without_redis(world, OUTAGE_S)

    assert states(world) == [(1, TaskState.RUNNING)]


def test_an_attempt_that_began_right_before_an_outage_of_redis_is_not_lost(world: World) -> None:
    """The last heartbeat before the outage could not list it yet.

    Teeth: fails without `interrupted` in `Membership.step` and `Reader.step` when `Reaper._is_forgotten` counts
    from `started_at`.
    """
    world.submit(a_task("only", retries=0))
    world.settle()
    world.pass_time(40)
    order = world.taken()
    world.worker.running(order)
    world.read()
    while world.step():
        pass

    be_without_redis(world, OUTAGE_S)

    assert states(world) == [(1, TaskState.RUNNING)]


def test_a_deferred_attempt_that_runs_again_has_time_to_be_listed(world: World) -> None:
    """It began long ago, but its present hand-over did not: no heartbeat can list that yet.

    Teeth: fails when `Reaper._is_forgotten` counts from `started_at`.
    """
    world.submit(a_task("only", retries=0))
    order = world.started()
    world.pass_time(40)
    world.worker.delay(order, 1.0)
    world.pass_time(2)
    order = world.taken()
    world.worker.held.clear()
    world.worker.running(order)

    world.pass_time(2 * LOST_S - 6)

    assert states(world) == [(1, TaskState.RUNNING)]


def test_a_worker_that_signed_off_is_accused_only_when_its_last_words_were_read(world: World) -> None:
    """It reported, left, and its RESULT is still in the stream.

    Teeth: fails with minus infinity in the place of `gone_since` in `Reaper._silent_since`.
    """
    running(world)
    world.pass_time(LOST_S + 5)
    (order,) = world.worker.held.values()
    world.worker.silent = True
    world.rig.beats.beats.clear()
    world.worker.result(order)

    for _ in range(30):  # the reader is slow
        world.rig.clock.advance(1.0)
        world.rig.master.membership.step()
        while world.step():
            pass
    assert states(world) == [(1, TaskState.RUNNING)]
    world.settle()

    assert states(world) == [(1, TaskState.SUCCESS)]


def test_outages_are_summed_up_from_the_moment_one_asks_about() -> None:
    """Tries of a service that is away lie apart: what is between them is outage, too, and before the first one."""
    now = 1_000.0
    silence = Silence(lambda: now, resend_s=10.0)
    now = 1_100.0
    silence.interrupted()
    now = 1_112.0
    silence.interrupted()
    now = 1_200.0

    assert silence.away_s(1_150.0) == 0
    assert silence.away_s(1_105.0) == 7
    assert silence.away_s(1_050.0) == 22
    assert silence.away_s(900.0) == 122


def test_streams_count_as_read_to_their_end_only_when_the_loop_has_taken_it_all() -> None:
    """A RESULT that waits in the inbox must not be overtaken by the timeout that it disproves."""
    inbox = Inbox(limit=10)
    inbox.put_reports([object(), object()])  # type: ignore[list-item]
    inbox.read_to_end([3], 5.0)

    inbox.take_reports(1)
    assert inbox.take_ends() == []
    inbox.take_reports(1)

    assert inbox.take_ends() == [((3,), 5.0)]


def test_a_zombie_is_told_to_end_what_it_lost(world: World) -> None:
    """It was silent, its attempt runs elsewhere: two live attempts must not go on side by side.

    Teeth: fails without `disown` in `Aftermath._follow`.
    """
    running(world)
    (order,) = world.worker.held.values()
    world.worker.silent = True
    world.pass_time(LOST_S + 6)
    assert states(world)[0] == (1, TaskState.LOST)

    assert order.id in world.broker.stops


def test_a_zombie_is_told_so_by_the_next_master_too(world: World) -> None:
    """The master died before it asked, or Redis forgot the request: the heartbeat shows what is over.

    Teeth: fails without `_end_disowned` in `Reaper.step`.
    """
    running(world)
    (order,) = world.worker.held.values()
    world.worker.silent = True
    world.pass_time(LOST_S + 6)
    world.broker.stops.clear()
    world.worker.silent = False

    world.pass_time(8)

    assert world.broker.stops == {order.id}


def test_the_end_of_a_reported_attempt_asks_for_no_kill(world: World) -> None:
    """A retry replaces an attempt that its worker ended itself."""
    world.submit(a_task("only", retries=1, retry_delay_s=1.0))
    order = world.started()

    world.worker.result(order, TaskState.FAILURE, error="ValueError")
    world.pass_time(10)

    assert world.broker.stops == set()


def test_a_message_of_a_hand_over_that_ended_unclaimed_never_starts(world: World) -> None:
    """The worker gave it back while Redis was away; the broker delivers a copy an hour later.

    Teeth: fails without `_bar_what_went_before` in `Messenger._publish`.
    """
    world.submit(a_task("only"))
    world.settle()
    order = world.taken()
    world.broker.claims.clear()  # the claim never got through
    world.worker.delay(order, 0.0)
    world.settle()
    world.pass_time(1)

    assert not world.broker.claim(order.id, "w2@rig|w2-1")
    assert world.finish() is WorkflowState.SUCCESS


def test_a_resume_that_is_committed_before_a_local_recall_lets_nothing_go_twice(world: World) -> None:
    """Paused and resumed; the batch is cut between the resume and what the pause took back.

    Teeth: fails without `_taken_back` in `Effects.enact`.
    """
    world.rig.beats = MemoryBeats(world.rig.clock.now)
    world.worker.silent = True
    world.restart_master()
    world.submit(a_task("a"), a_task("b"), a_task("c"))
    world.settle()
    waiting = [row.task for row in world.rows() if row.state is TaskState.SUBMITTED]
    assert waiting, "the window holds everything"
    world.command(CommandKind.PAUSE)
    world.step()
    world.command(CommandKind.RESUME)
    loop = world.rig.master.loop
    items = loop._gather()
    world.broker.queues.clear()
    loop._crew.aftermath._window._capacity = lambda _group: 100

    loop._handle(items[:2])
    loop._crew.dispatcher.step()
    loop._handle(items[2:])
    world.settle()

    first = {f"{world.run}:{task}:1:1" for task in waiting}
    assert not first & set(world.broker.published)


@pytest.mark.parametrize("most", [1, 3])
def test_a_batch_that_is_too_big_for_the_database_gets_through_in_parts(world: World, most: int) -> None:
    """Each commit of many rows hits a time limit: the lanes are not stuck behind it.

    Teeth: fails with the whole of `_carry` in `Loop._gather`.
    """
    world.submit(*(a_task(f"t{number}") for number in range(8)))
    world.settle()
    orders = world.worker.take_all()
    for order in orders.values():
        world.worker.running(order)
    world.rig.committer = Slow(world, most)

    world.pass_time(60)

    assert {row.state for row in world.rows() if row.task in orders} == {TaskState.RUNNING}


class Slow:
    """A database that does not manage more than some rows in its time limit."""

    def __init__(self, world: World, most: int) -> None:
        self._world, self._most = world, most

    def commit(self, changes: Changes, leases: Leases) -> datetime:
        """Commit little; refuse much."""
        if sum(len(one.changed) + len(one.new) for one in changes.instances) > self._most:
            raise StoreUnavailable("canceling statement due to statement timeout")
        return self._world.rig.commit.commit(changes, leases)
