"""Deliveries: each target by itself, noted by whoever sent, tried again, twice only after a crash."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event, Lock

import pytest
from structlog.testing import capture_logs

from orchestrator.alerting.delivery import Delivery, Undelivered
from orchestrator.errors import StoreUnavailable
from orchestrator.master.deliveries import MOST_TARGETS, Deliveries
from orchestrator.store.outbox import OutboxEntry
from tests.cluster import wait_until

AT = datetime(2026, 11, 1, tzinfo=UTC)


@dataclass(slots=True)
class Table:
    """The outbox in memory; it is away while `away` is set."""

    rows: dict[int, OutboxEntry]
    done: list[int] = field(default_factory=list)
    later: dict[int, tuple[float, str]] = field(default_factory=dict)
    away: bool = False
    lock: Lock = field(default_factory=Lock)

    def due_deliveries(
        self, slots: Collection[int], limit: int, without: Collection[str]
    ) -> list[OutboxEntry]:
        """Return what was neither delivered nor postponed."""
        del slots
        with self.lock:
            open_ = [row for number, row in self.rows.items() if number not in {*self.done, *self.later}]
        return [row for row in open_ if str(row.target) not in without][:limit]

    def delivered(self, ids: Collection[int]) -> None:
        """Note an arrival."""
        if self.away:
            raise StoreUnavailable("restarting")
        with self.lock:
            self.done.extend(ids)

    def postpone(self, entry_id: int, seconds: float, error: str = "") -> None:
        """Note a failure."""
        with self.lock:
            self.later[entry_id] = (seconds, error)


@dataclass(slots=True)
class Scene:
    """Deliveries with a clock that is moved by hand, and what was sent."""

    table: Table
    carry: Callable[[Delivery], None]
    now: float = 0.0
    sent: list[tuple[str, str]] = field(default_factory=list)

    def deliveries(self) -> Deliveries:
        """Return the part under test."""
        return Deliveries(self.table, [1], self._carry, lambda: self.now, lambda: 0.0)

    def _carry(self, delivery: Delivery) -> None:
        self.sent.append((str(delivery.target), delivery.key))
        self.carry(delivery)


def row(number: int, target: str, tries: int = 0) -> OutboxEntry:
    """Return a delivery to a webhook."""
    return OutboxEntry(
        id=number,
        key=f"fact:{number}>webhook:{target}",
        slot=1,
        workflow_instance_id=1,
        kind="webhook",
        body={"target": target, "message": {"key": f"fact:{number}"}},
        created_at=AT,
        tries=tries,
    )


def scene(carry: Callable[[Delivery], None], *rows: OutboxEntry) -> Scene:
    """Return a scene with these rows due."""
    return Scene(table=Table({one.id: one for one in rows}), carry=carry)


def refuse(*names: str) -> Callable[[Delivery], None]:
    """Return a carrier that some targets do not answer."""

    def carry(delivery: Delivery) -> None:
        if delivery.target.address in names:
            raise Undelivered("HTTP 503")

    return carry


@contextmanager
def held(*names: str) -> Iterator[Callable[[Delivery], None]]:
    """Yield a carrier whom some targets keep waiting until the end of the block."""
    release = Event()

    def carry(delivery: Delivery) -> None:
        if delivery.target.address in names:
            release.wait(10)

    try:
        yield carry
    finally:
        release.set()


def test_what_arrived_is_noted_and_never_sent_again() -> None:
    """In the order in which it was decided, target by target."""
    play = scene(refuse(), row(1, "a"), row(2, "a"), row(3, "b"))
    deliveries = play.deliveries()

    deliveries.finish(5)
    deliveries.finish(5)

    assert sorted(play.table.done) == [1, 2, 3]
    assert [sent for sent in play.sent if sent[0] == "webhook:a"] == [
        ("webhook:a", "fact:1"),
        ("webhook:a", "fact:2"),
    ]


def test_a_slow_target_holds_up_nobody_else() -> None:
    """Its thread waits; the step does not, and the others get theirs."""
    with held("slow") as carry:
        play = scene(carry, row(1, "slow"), row(2, "slow"), row(3, "quick"))
        deliveries = play.deliveries()

        assert deliveries.step() == 2
        wait_until(lambda: play.table.done == [3], seconds=5, what="the quick one has it")
        play.table.rows[4] = row(4, "quick")
        wait_until(lambda: deliveries.step() == 1, seconds=5, what="the quick one is free again")
        wait_until(lambda: play.table.done == [3, 4], seconds=5, what="the quick one has both")
    deliveries.finish(5)
    assert play.table.done == [3, 4, 1, 2]


def test_only_a_few_targets_are_served_at_once() -> None:
    """A hundred dead targets are not a hundred threads."""
    names = [f"t{number}" for number in range(MOST_TARGETS + 3)]
    with held(*names) as carry:
        play = scene(carry, *(row(number, name) for number, name in enumerate(names, start=1)))
        deliveries = play.deliveries()

        assert (deliveries.step(), deliveries.step()) == (MOST_TARGETS, 0)
    deliveries.finish(5)
    assert len(play.table.done) == len(names)


def test_a_target_that_failed_rests_and_its_delivery_backs_off() -> None:
    """What stands behind the failed one is not tried until the rest is over; success ends the rests."""
    play = scene(refuse("a"), row(1, "a", tries=3), row(2, "a"))
    deliveries = play.deliveries()
    with capture_logs() as logs:
        deliveries.finish(5)

    assert play.table.later == {1: (16.0, "HTTP 503")}
    assert len(play.sent) == 1
    assert [(line["event"], line["tries"], line["error"]) for line in logs] == [
        ("alerts.undelivered", 4, "HTTP 503")
    ]
    play.now = 0.9
    assert deliveries.step() == 0
    play.now, play.carry = 1.1, refuse()
    deliveries.finish(5)
    assert play.table.done == [2]


@pytest.mark.parametrize(("tries", "wait_s"), [(0, 2.0), (1, 4.0), (30, 600.0)])
def test_back_off_grows_up_to_ten_minutes(tries: int, wait_s: float) -> None:
    """And never ends: an alert is delivered at least once."""
    play = scene(refuse("a"), row(1, "a", tries=tries))

    play.deliveries().finish(5)

    assert play.table.later[1][0] == wait_s


def test_a_bug_in_a_sender_is_one_failed_try() -> None:
    """Neither the master nor the others suffer from it."""

    def carry(delivery: Delivery) -> None:
        if delivery.target.address == "a":
            raise KeyError("hidden")

    play = scene(carry, row(1, "a"), row(2, "b"))
    with capture_logs() as logs:
        play.deliveries().finish(5)

    assert (play.table.later, play.table.done) == ({1: (2.0, "KeyError")}, [2])
    assert "alerts.broken" in [line["event"] for line in logs]


def test_a_database_that_is_away_after_sending_causes_no_repeat() -> None:
    """The arrival is noted once it is back; until then nothing goes to that target."""
    play = scene(refuse(), row(1, "a"), row(2, "a"))
    play.table.away = True
    deliveries = play.deliveries()
    deliveries.step()
    wait_until(lambda: _is_owed(deliveries), seconds=5, what="the arrival waits to be noted")
    with pytest.raises(StoreUnavailable):
        deliveries.step()
    assert len(play.sent) == 1

    play.table.away = False
    deliveries.finish(5)

    assert (play.table.done, len(play.sent)) == ([1, 2], 2)


def test_a_closed_reign_sends_nothing_more() -> None:
    """What was not begun is the next master's."""
    with held("slow") as carry:
        play = scene(carry, row(1, "slow"), row(2, "slow"))
        deliveries = play.deliveries()
        deliveries.step()
        deliveries.close()
    wait_until(lambda: play.table.done == [1], seconds=5, what="what was begun is noted")

    assert len(play.sent) == 1
    assert deliveries.step() == 0


def _is_owed(deliveries: Deliveries) -> bool:
    """Return whether a step finds something to note, which the database does not take."""
    try:
        deliveries.step()
    except StoreUnavailable:
        return True
    return False
