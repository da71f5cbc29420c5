"""I8: retry keeps the event, waits with growing back-off, does not spin, and is visible."""

import time
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from structlog.testing import capture_logs

from orchestrator.core.changes import Changes, Leases
from orchestrator.core.command import CommandKind
from orchestrator.core.event import TaskRunning
from orchestrator.core.status import TaskState
from orchestrator.errors import StoreUnavailable
from tests.contract.invariants.cases import claimed, paused
from tests.contract.invariants.faults import unreadable
from tests.world import World

OUTAGE_S = 60


@dataclass(slots=True)
class Away:
    """A committer whose database is away; it notes when it was asked."""

    world: World
    asked_at: list[float] = field(default_factory=list)

    def commit(self, changes: Changes, leases: Leases) -> datetime:  # noqa: ARG002  a port's shape
        """Fail."""
        self.asked_at.append(self.world.rig.clock.monotonic())
        raise StoreUnavailable("gone")


def test_a_lost_database_is_asked_less_and_less_often_and_the_event_is_kept(world: World) -> None:
    """In a minute of outage, with a turn every 50 ms, there are some 20 tries, each after a longer wait.

    Teeth: fails without `_backoff.failed(error)` in `Loop._failed`, or without the look at `wait_s` in `step`.
    """
    claimed(world)
    (order,) = world.worker.held.values()
    entry = world.worker.running(order)
    world.read()
    away = world.rig.committer = Away(world)

    with capture_logs() as logs:
        for _ in range(OUTAGE_S * 20):
            world.step()
            world.rig.clock.advance(0.05)

    waits = [later - earlier for earlier, later in pairwise(away.asked_at)]
    assert 10 <= len(away.asked_at) <= 22
    assert all(later >= earlier * 0.8 for earlier, later in pairwise(waits))
    assert [line["log_level"] for line in logs if line["event"] == "store.unavailable"].count("warning") == 1
    assert world.verdict(entry) is None

    world.rig.committer = world.rig.commit
    with capture_logs() as logs:
        world.pass_time(6)
    assert [line["failures"] for line in logs if line["event"] == "store.back"] == [len(away.asked_at)]
    assert world.verdict(entry) == "ok"
    assert world.attempt("first").state is TaskState.RUNNING


def test_the_loop_sleeps_while_it_backs_off_although_events_wait(world: World) -> None:
    """A full inbox does not wake a loop that could not handle it: a turn takes the time it may wait.

    Teeth: fails with `inbox.wait` in the place of `inbox.rest` in `Loop.step`.
    """
    claimed(world)
    (order,) = world.worker.held.values()
    world.worker.running(order)
    world.read()
    world.rig.committer = Away(world)
    world.step()
    world.worker.running(order)
    world.read()

    began = time.monotonic()
    for _ in range(3):
        world.rig.master.loop.step(0.02)

    assert time.monotonic() - began >= 0.06


def test_a_poison_lane_is_tried_less_and_less_often_and_shown(world: World) -> None:
    """Parked with growing back-off up to five minutes, in log and status; its entry is kept.

    Teeth: fails with `backoff_s(0, …)` in `Parking.park`.
    """
    paused(world)
    entry = world.say(world.attempt("first"), TaskRunning)

    with capture_logs() as logs:
        world.pass_time(1800, tick_s=5.0)

    parked = world.rig.master.lanes.parked[world.run]
    lines = [line for line in logs if line["event"] == "lane.parked"]
    assert 10 <= parked.tries <= 16
    assert [line["tries"] for line in lines] == list(range(1, parked.tries + 1))
    assert [line["alert"] for line in lines[:5]] == [False, False, False, False, True]
    (shown,) = world.rig.master.status.document()["parked"]
    assert (shown["workflow_instance_id"], shown["entries"]) == (world.run, 1)
    assert shown["since_s"] >= 1790
    assert "PAUSED -> RUNNING" in shown["error"]
    assert world.verdict(entry) is None


def test_a_lane_that_waits_for_nothing_else_lets_the_loop_rest(world: World) -> None:
    """A parked lane, a held-back order, a timer in an hour: no turn finds anything to do."""
    paused(world)
    world.say(world.attempt("first"), TaskRunning)
    world.settle()

    assert [world.step() for _ in range(20)] == [False] * 20


def test_an_unreadable_command_table_keeps_everything(world: World) -> None:
    """The database goes away while the commands are read: no report, notice or command is lost."""
    claimed(world)
    (order,) = world.worker.held.values()
    entry = world.worker.running(order)
    world.command(CommandKind.PAUSE)

    with unreadable(world, "FROM command"):
        world.step()
        assert world.verdict(entry) is None
    world.pass_time(3)

    assert world.verdict(entry) == "ok"
    assert world.picture()["commands"] == []
