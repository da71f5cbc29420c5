"""What the worker's main process decides: admission, deadlines, heartbeats, losses."""

import os
import threading
import time
from itertools import pairwise
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from orchestrator.broker import codec
from orchestrator.broker.inbox import StopRequest
from orchestrator.core.event import RejectReason
from orchestrator.errors import BrokerUnavailable
from orchestrator.worker.enforcer import Enforcer
from orchestrator.worker.gate import Gate, Rejected
from orchestrator.worker.heartbeat import Heartbeat, Pulse
from orchestrator.worker.losses import Losses, death_of
from orchestrator.worker.notice_board import NoticeBoard
from orchestrator.worker.spool import Spool
from orchestrator.worker.ticker import FAILURES_LIMIT, Ticker
from tests.unit.worker.twins import (
    IDENTITY,
    TwinClaims,
    TwinPresence,
    TwinStreams,
    make_facts,
    make_order,
    started,
)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """An empty spool of the incarnation `now`."""
    return Spool(tmp_path / "s.db", "now")


def make_gate(*, draining: bool = False, cpu: float = 0.0, memory: float = 0.0) -> Gate:
    """Return a gate with limits 2.0 and 0.9."""
    return Gate(lambda: draining, 2.0, 0.9, cpu=lambda: cpu, memory=lambda: memory)


def test_gate_lets_in_below_the_limits() -> None:
    """Neither draining nor overloaded."""
    make_gate(cpu=1.9, memory=0.89).check()


@pytest.mark.parametrize(
    ("gate", "reason"),
    [
        (make_gate(draining=True), RejectReason.DRAINING),
        (make_gate(cpu=2.1), RejectReason.OVERLOAD),
        (make_gate(memory=0.91), RejectReason.OVERLOAD),
    ],
)
def test_gate_says_why_not(gate: Gate, reason: RejectReason) -> None:
    """Draining and overload are told apart."""
    with pytest.raises(Rejected) as rejected:
        gate.check()
    assert rejected.value.reason is reason


def test_board_is_shared_by_every_process(tmp_path: Path) -> None:
    """What the main process sets, a child that opened the file sees; a successor has a board of its own."""
    main = NoticeBoard.create(tmp_path / "b", "first")
    child = NoticeBoard(tmp_path / "b")
    main.draining = True
    assert (child.draining, child.incarnation) == (True, "first")

    successor = NoticeBoard.create(tmp_path / "b", "second")

    assert (successor.draining, child.incarnation) == (False, "first")


def test_enforcer_leaves_others_alone(spool: Spool) -> None:
    """Attempts of an earlier incarnation, and those whose time is not over."""
    enforcer = Enforcer(spool, "now", 5.0, clock=lambda: 10.0)
    spool.begin(make_facts(order_id="a", incarnation="before", deadline=1.0), 0, b"")
    spool.begin(make_facts(order_id="b", deadline=11.0), 0, b"")
    enforcer.step()

    assert (spool.ending("a"), spool.ending("b")) == (None, None)
    assert not enforcer.end("unknown", "stop")


class HeartbeatWorld:
    """A heartbeat with twins around it."""

    def __init__(self, directory: Path, *, kill: bool = False, lost_s: float = 15.0) -> None:
        self.spool = Spool(directory / "h.db", "now")
        self.board = NoticeBoard.create(directory / "board", "now")
        self.presence = TwinPresence()
        self.claims = TwinClaims(TwinStreams())
        self.is_connected, self.now_s = True, 0.0
        pulse = Pulse(
            groups=lambda: ("default",),
            capacity=lambda: 2,
            resent=lambda: 3,
            lost_s=lost_s,
            is_connected=lambda: self.is_connected,
            kill_when_cut_off=kill,
        )
        enforcer = Enforcer(self.spool, "now", 5.0)
        self.heartbeat = Heartbeat(
            IDENTITY,
            pulse,
            self.spool,
            self.board,
            enforcer,
            (self.presence, self.claims),
            monotonic=lambda: self.now_s,
        )

    def state_at(self, seconds: float) -> str:
        """Return what the worker says of itself so many seconds after its start."""
        self.now_s = seconds
        self.heartbeat.step()
        return self.presence.beats[-1].state


def test_heartbeat_lists_what_the_worker_answers_for(tmp_path: Path) -> None:
    """Claims are renewed for the same list."""
    world = HeartbeatWorld(tmp_path)
    started(world.spool, "a")
    world.heartbeat.step()

    (beat,) = world.presence.beats
    assert (beat.groups, beat.capacity, beat.running, beat.spooled, beat.resent, beat.state) == (
        ("default",), 2, ("a",), 1, 3, "online",
    )  # fmt: skip
    assert world.claims.renewed == ["a"]


def test_worker_that_stays_without_the_broker_says_so(tmp_path: Path) -> None:
    """Not while it starts, nor at a short interruption; connected again it is what it was."""
    world = HeartbeatWorld(tmp_path)
    world.is_connected = False
    lost = [world.state_at(seconds) for seconds in (0, 15, 16)]
    world.is_connected = True

    assert lost == ["online", "online", "no_broker"]
    assert world.state_at(17) == "online"


def test_worker_that_drains_without_the_broker_drains(tmp_path: Path) -> None:
    """It takes nothing either way, and a person has said so."""
    world = HeartbeatWorld(tmp_path)
    world.is_connected, world.board.draining = False, True

    assert world.state_at(60) == "draining"


def test_answer_to_a_heartbeat_is_obeyed(tmp_path: Path) -> None:
    """Stop markers end attempts; the drain flag drains; a claim that somebody else holds ends its attempt."""
    world = HeartbeatWorld(tmp_path)
    for order_id in ("a", "b"):
        started(world.spool, order_id)
    world.presence.stops = (StopRequest(order_id="a", reason="x"),)
    world.presence.drain = True
    world.claims.held["b"] = "recalled"
    world.heartbeat.step()

    assert (world.spool.ending("a"), world.spool.ending("b")) == ("stop", "stale")
    assert world.board.draining
    world.presence.drain = False
    world.heartbeat.step()
    assert not world.board.draining


def test_stopping_worker_drains_whatever_the_answers_say(tmp_path: Path) -> None:
    """A shutdown is not taken back by a heartbeat."""
    world = HeartbeatWorld(tmp_path)
    world.heartbeat.stopping()
    world.heartbeat.step()

    assert world.presence.beats[-1].state == "draining"


@pytest.mark.parametrize(("kill", "ending"), [(True, "partition"), (False, None)])
def test_cut_off_worker_ends_its_tasks_only_if_wanted(
    tmp_path: Path, *, kill: bool, ending: str | None
) -> None:
    """By default a worker that is cut off goes on."""
    world = HeartbeatWorld(tmp_path, kill=kill, lost_s=0.0)
    started(world.spool, "a")
    world.presence.away, world.now_s = True, 1.0
    with pytest.raises(BrokerUnavailable):
        world.heartbeat.step()

    assert world.spool.ending("a") == ending


def test_child_that_had_begun_nothing_is_not_spoken_for(spool: Spool) -> None:
    """The message goes back instead."""
    losses = Losses(IDENTITY, spool, lambda _: None, lambda *_: "")

    assert not losses.report(codec.order_to_message(make_order(), "g"), "SIGKILL")
    assert not losses.report({}, "SIGKILL")


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("Worker exited prematurely: signal 9 (SIGKILL) Job: 1.", "SIGKILL"),
        ("Worker exited prematurely: exitcode 137 Job: 3.", "exit code 137"),
        ("something else\nand more", "something else"),
    ],
)
def test_the_pools_message_is_read(text: str, status: str) -> None:
    """The reason names the signal."""
    assert death_of(text) == status


def test_ticker_outlives_outages_and_gives_up_on_bugs() -> None:
    """A service that is away is waited for; a step that keeps failing otherwise ends the worker."""
    given_up = threading.Event()
    outcomes: list[Exception] = [BrokerUnavailable("away")] * 50 + [ValueError("bug")] * FAILURES_LIMIT
    done = iter(outcomes)

    def step() -> None:
        raise next(done, ValueError("bug"))

    ticker = Ticker("t", step, lambda: 0.0, given_up.set, longest_back_off_s=0.001)
    with capture_logs() as lines:
        ticker.start()
        ticker.start()
        assert given_up.wait(5)
        ticker.stop(5)
        ticker.stop(5)

    assert [one["event"] for one in lines][:2] == ["worker.service_waits", "worker.step_failed"]
    assert "t" not in [one.name for one in threading.enumerate()]


def test_death_of_a_second_delivery_does_not_end_the_first(spool: Spool) -> None:
    """The child that runs the attempt lives: what died had another copy of the message."""
    order = make_order()
    spool.begin(make_facts(order_id=order.id, pid=os.getpid()), 0, b"")
    losses = Losses(IDENTITY, spool, list[int]().append, lambda *_: "/log")

    assert not losses.report(codec.order_to_message(order, "g"), "SIGKILL")


def test_failing_step_is_not_repeated_in_a_hurry() -> None:
    """A server that is gone must not cost a core: the pauses between failed steps grow."""
    started_at_s, times, enough = time.monotonic(), list[float](), threading.Event()

    def step() -> None:
        times.append(time.monotonic() - started_at_s)
        if len(times) == 4:
            enough.set()
        raise BrokerUnavailable("away")

    ticker = Ticker("t", step, lambda: 0.0, lambda: None)
    with capture_logs():
        ticker.start()
        assert enough.wait(5)
        ticker.stop(5)

    pauses = [later - earlier for earlier, later in pairwise(times[:4])]
    assert pauses[0] >= 0.03
    assert pauses[2] >= 0.15
