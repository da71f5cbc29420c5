"""Claims, reports and their repetition, under lost replies, full disks and absent servers."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.broker import codec
from orchestrator.broker.inbox import StopRequest, Verdict
from orchestrator.core.event import RejectReason, TaskResult, TaskRunning, WorkerOnline
from orchestrator.errors import BrokerUnavailable
from orchestrator.worker.claiming import Claiming
from orchestrator.worker.enforcer import Enforcer
from orchestrator.worker.executors.port import Finished
from orchestrator.worker.gate import Rejected
from orchestrator.worker.outcome import Place, Speaker, succeeded
from orchestrator.worker.receiver import Receiver
from orchestrator.worker.reporter import Reporter
from orchestrator.worker.resender import Resender
from orchestrator.worker.slots import SLOTS
from orchestrator.worker.spool import Spool
from tests.unit.worker.twins import IDENTITY, TwinClaims, TwinInbox, TwinStreams, make_facts, make_order

PLACE = Place(pid=1, process_group=None, log_path=None)
SPEAKER = Speaker(IDENTITY)
ORDER = make_order()
RUNNING = SPEAKER.running(ORDER, PLACE)
RESULT = SPEAKER.result(ORDER, PLACE, succeeded(Finished(outputs={"n": 1})))


class World:
    """A worker's reporting side around one spool."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "s.db"
        self.now = 1000.0
        self.spool = Spool(self.path, "now", clock=lambda: self.now)
        self.streams = TwinStreams()
        self.claims = TwinClaims(self.streams)
        self.pauses: list[float] = []
        self.claiming = Claiming(IDENTITY, self.spool, self.claims, 0.05, self.pauses.append)
        self.reporter = Reporter(self.spool, self.streams, "w@h", self.pauses.append)
        self.resender = Resender(IDENTITY, self.spool, self.streams, 10.0, monotonic=lambda: self.now)

    def claim(self) -> bool:
        """Claim the order."""
        return self.claiming.claim(ORDER, "g", make_facts(order_id=ORDER.id), RUNNING)

    def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    def sent(self) -> list[str]:
        """Return the kinds of the events in the streams."""
        return [type(codec.decode(one.payload)).__name__ for one in self.streams.entries.values()]

    def fill_disk(self) -> None:
        """Let every write of an event fail."""
        self._execute("ALTER TABLE event RENAME TO elsewhere")

    def make_room(self) -> None:
        """Let writes work again."""
        self._execute("ALTER TABLE elsewhere RENAME TO event")

    def _execute(self, statement: str) -> None:
        connection = sqlite3.connect(self.path)
        connection.execute(statement)
        connection.close()


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A reporting side with nothing in it."""
    world = World(tmp_path)
    world.spool.settle([world.spool.write(0, "", b"")])  # the file and its tables exist
    return world


def test_claim_writes_the_spool_and_sends_running(world: World) -> None:
    """RUNNING stands in the spool, with its stream entry."""
    assert world.claim()

    (event,) = world.spool.events(up_to=2000)
    assert world.sent() == ["TaskRunning"]
    assert event.entry in world.streams.entries


def test_claim_whose_reply_was_lost_is_ones_own(world: World) -> None:
    """I19: the repeated claim shows the same nonce."""
    world.claims.lose_replies = 1

    assert world.claim()
    assert set(world.sent()) == {"TaskRunning"}


def test_time_limit_begins_with_the_answer_to_the_claim(world: World) -> None:
    """Redis lets the claim wait, which is no time of the attempt: it has not begun."""
    # Teeth: fails with a deadline that is reckoned before `_ask`.
    world.claims.lose_replies = 3
    claiming = Claiming(
        IDENTITY, world.spool, world.claims, 60.0, world.pass_time, monotonic=lambda: world.now
    )

    assert claiming.claim(ORDER, "g", make_facts(order_id=ORDER.id), RUNNING, limit_s=0.5)

    (attempt,) = world.spool.attempts()
    assert attempt.deadline == world.now + 0.5
    assert world.now > 1000.0 + 0.5


def test_claim_of_another_delivery_is_refused(world: World) -> None:
    """A redelivered message is refused, also to the same worker, and leaves nothing."""
    world.claim()

    assert not world.claim()
    assert world.sent() == ["TaskRunning"]


def test_a_hand_over_whose_report_waits_here_is_not_run_again(world: World) -> None:
    """Redis has forgotten claim and report, and a master has handed it out once more."""
    # Teeth: fails without `Claiming._is_here`.
    assert world.claim()
    world.reporter.report(ORDER.id, 1, RESULT)
    world.claims.held.clear()
    world.streams.entries.clear()

    assert not world.claim()

    world.resender.resend()
    world.resender.resend()
    assert world.sent() == ["TaskRunning", "TaskResult"]


def test_claim_without_an_answer_gives_up_in_the_end(world: World) -> None:
    """Redis is away for longer than the worker's patience: nothing starts."""
    world.claims.lose_replies = 10**9

    with pytest.raises(BrokerUnavailable):
        world.claim()
    assert world.spool.claimed() == []


def test_reject_takes_the_claim(world: World) -> None:
    """No copy of a rejected message can start."""
    event = SPEAKER.rejected(ORDER, Rejected(RejectReason.DRAINING))
    world.claiming.give_back(ORDER, "g", event)

    assert world.sent() == ["WorkerReject"]
    assert not world.claim()


def test_report_is_spooled_then_sent(world: World) -> None:
    """A RESULT stands in both places until its verdict."""
    world.reporter.report(ORDER.id, 1, RESULT)

    (event,) = world.spool.events(up_to=2000)
    assert codec.decode(event.payload) == RESULT
    assert world.sent() == ["TaskResult"]


def test_report_without_redis_waits_in_the_spool(world: World) -> None:
    """The child goes on at once; the re-sender delivers it."""
    world.streams.away = 1
    world.reporter.report(ORDER.id, 1, RESULT)
    assert world.sent() == []

    world.resender.resend()
    assert world.sent() == [], "it did not lie there at the look before"
    world.resender.resend()

    assert world.sent() == ["TaskResult"]


def test_a_report_that_redis_forgot_is_sent_again_within_one_interval(world: World) -> None:
    """A master waits so long after an outage before it holds anybody's silence against him."""
    # Teeth: fails when looks are a whole interval apart.
    world.resender.step()
    world.reporter.report(ORDER.id, 1, RESULT)
    world.streams.entries.clear()

    for _ in range(10):
        world.now += 1
        world.resender.step()

    assert world.sent() == ["TaskResult"]


def test_a_report_that_never_got_out_does_not_wait_for_its_turn(world: World) -> None:
    """Two seconds after Redis is back it is there: before a timeout could be held against its task."""
    # Teeth: fails when only the look of every re-send interval sends it.
    world.resender.step()
    world.streams.away = 1
    world.reporter.report(ORDER.id, 1, RESULT)
    for _ in range(2):
        world.now += 1
        world.resender.step()

    assert world.sent().count("TaskResult") == 1


def test_a_clock_that_jumps_back_stops_no_report(world: World) -> None:
    """What is old is known by the look before, not by anybody's wall clock."""
    # Teeth: fails when age is taken from the time at which an event was written.
    world.streams.away = 1
    world.now += 3600
    world.reporter.report(ORDER.id, 1, RESULT)
    world.now -= 3600

    world.resender.resend()
    world.resender.resend()

    assert world.sent() == ["TaskResult"]


def test_full_disk_sends_past_the_spool(world: World) -> None:
    """The event goes into the stream; the attempt's row goes when there is room again."""
    world.claim()
    world.fill_disk()
    world.reporter.report(ORDER.id, 1, RESULT)
    assert world.sent() == ["TaskRunning", "TaskResult"]

    world.make_room()
    world.reporter.report("2:one:1:1", 2, RESULT)

    assert world.spool.attempts() == []


def test_full_disk_and_no_redis_hold_the_child(world: World) -> None:
    """The caller waits until one of both takes the event."""
    world.fill_disk()
    world.streams.away = 3

    world.reporter.report(ORDER.id, 1, RESULT)

    assert len(world.pauses) == 3
    assert world.sent() == ["TaskResult"]


def test_resend_leaves_alone_what_is_young_or_still_in_its_stream(world: World) -> None:
    """Only what waits for long and whose entry is gone is sent again."""
    world.claim()
    world.reporter.report(ORDER.id, 1, RESULT)
    world.resender.resend()
    world.resender.resend()
    assert len(world.sent()) == 2

    world.streams.entries.clear()
    world.resender.resend()

    assert world.sent() == ["TaskRunning", "TaskResult"]
    assert world.resender.resent == 2


def test_successor_sends_everything_before_online(world: World) -> None:
    """ONLINE goes into every stream, behind what the predecessor left, and only once."""
    before = Spool(world.path, "before")
    before.write(1, ORDER.id, codec.encode(RESULT))
    world.resender.announce()
    world.resender.announce()

    events = [codec.decode(one.payload) for one in world.streams.entries.values()]
    assert events[0] == RESULT
    assert len(events) == 1 + SLOTS
    assert all(isinstance(one, WorkerOnline) for one in events[1:])


def test_interrupted_announcement_is_repeated(world: World) -> None:
    """Redis goes away in between: the next step does it all."""
    world.streams.away = 1
    with pytest.raises(BrokerUnavailable):
        world.resender.step()

    world.resender.step()

    assert len(world.sent()) == SLOTS


def test_urgent_event_is_sent_with_the_next_step(world: World) -> None:
    """What the main process reports for a dead child does not wait for the re-send interval."""
    world.resender.deliver(world.spool.write(0, ORDER.id, codec.encode(RESULT)))
    world.resender.step()

    assert world.sent()[-1] == "TaskResult"


def test_verdicts_empty_the_spool_and_stale_ends_the_attempt(world: World) -> None:
    """`ok` deletes; `stale` and stop requests end what still runs."""
    inbox = TwinInbox()
    enforcer = Enforcer(world.spool, "now", 5.0, clock=lambda: 1.0)
    world.claim()
    other_facts = make_facts(order_id="other")
    world.spool.won(world.spool.begin(other_facts, 0, b""), None, other_facts)
    (running, other) = world.spool.events(up_to=2000)
    inbox.messages = [
        Verdict(spool_id=running.spool_id, verdict="stale"),
        Verdict(spool_id=other.spool_id, verdict="ok"),
        StopRequest(order_id="other", reason="a person"),
    ]

    Receiver(inbox, world.spool, enforcer, 0.0).step()

    assert world.spool.count() == 0
    assert (world.spool.ending(ORDER.id), world.spool.ending("other")) == ("stale", "stop")


def test_running_event_carries_its_place() -> None:
    """RUNNING says host, pid, process group and log."""
    place = Place(pid=7, process_group=8, log_path="/l")
    event = SPEAKER.running(ORDER, place)

    assert isinstance(event, TaskRunning)
    assert (event.host, event.pid, event.process_group, event.log_path) == ("h", 7, 8, "/l")


def test_running_and_result_say_when_the_master_made_the_order() -> None:
    """PROTOCOL 1: both carry `dispatched_at`, since either may overtake DISPATCH."""
    order = make_order(dispatched_at=datetime(2026, 11, 1, tzinfo=UTC))

    running = SPEAKER.running(order, PLACE)
    result = SPEAKER.result(order, PLACE, succeeded(Finished()))

    for event in (running, result):
        again = codec.decode(codec.encode(event))
        assert again == event
        assert isinstance(again, TaskRunning | TaskResult)
        assert again.dispatched_at == order.dispatched_at
