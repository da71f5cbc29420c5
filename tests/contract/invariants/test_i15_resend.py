"""I15: a worker re-sends until it is acknowledged, also across its own restart and across a wiped Redis."""

from collections.abc import Collection, Sequence
from pathlib import Path

import pytest

from orchestrator.broker.codec import encode
from orchestrator.broker.sender import Outgoing
from orchestrator.core.event import TaskResult
from orchestrator.core.order import Order
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.worker.ports import Identity
from orchestrator.worker.resender import Resender
from orchestrator.worker.spool import Spool
from tests.contract.invariants.cases import last
from tests.world import WORKER, World

RESEND_S = 10.0


class Streams:
    """The worker's side of the world's streams."""

    def __init__(self, world: World) -> None:
        self._world = world

    def send(self, slot: int, worker: str, spool_id: int, payload: bytes) -> str:
        """Add one event."""
        return self._world.streams.add(slot, payload, worker=worker, spool_id=spool_id).id

    def send_all(self, events: Sequence[Outgoing]) -> list[str]:
        """Add events in order."""
        return [self.send(one.slot, one.worker, one.spool_id, one.payload) for one in events]

    def existing(self, slot: int, ids: Collection[str]) -> set[str]:
        """Return those that are still there."""
        streams = self._world.streams
        there = {entry.id for entry in streams._new.get(slot, ())} | streams._pending.get(slot, {}).keys()
        return there & set(ids)


class Reporting:
    """A real spool and resender beside the world's worker.

    Args:
        world: Where events go.
        directory: Of the spool.
        incarnation: Of this start of the worker.
    """

    def __init__(self, world: World, directory: Path, incarnation: str = "w1-1") -> None:
        self.world = world
        self._now = world.rig.clock.monotonic
        self.spool = Spool(directory / "spool.db", incarnation, clock=self._now)
        identity = Identity(name=WORKER, incarnation=incarnation, host="here")
        self.resender = Resender(identity, self.spool, Streams(world), RESEND_S, monotonic=self._now)

    def write(self, order: Order) -> int:
        """Write a RESULT into the spool; nobody has sent it yet."""
        token = self.world.worker.token(order)
        self.world.worker.held.pop(order.id)
        payload = encode(TaskResult(**token, state=TaskState.SUCCESS, outputs={"n": 1}))
        return self.spool.write(self.world.slot, order.id, payload)

    def pass_time(self, seconds: int) -> None:
        """Let time pass; verdicts settle the spool, as the worker's inbox does."""
        for _ in range(seconds):
            self.world.rig.clock.advance(1.0)
            self.resender.step()
            self.world.settle()
            self.spool.settle(
                [entry.spool_id for entry, _ in self.world.streams.acknowledged if entry.spool_id]
            )


@pytest.fixture
def reporting(world: World, tmp_path: Path) -> Reporting:
    """A worker whose one task has ended, with its real spool."""
    last(world)
    world.streams.acknowledged.clear()  # what the worker by hand reported before has numbers of its own
    return Reporting(world, tmp_path)


def ended(reporting: Reporting) -> None:
    """The RESULT counted once, and nothing is left anywhere."""
    world = reporting.world
    assert world.state is WorkflowState.SUCCESS
    assert [(row.attempt, row.outputs) for row in world.rows()] == [(1, {"n": 1})]
    assert reporting.spool.count() == 0
    assert world.streams.waiting == 0


def only_order(world: World) -> Order:
    """Return the order that is held."""
    (order,) = world.worker.held.values()
    return order


def test_what_was_never_sent_is_sent(reporting: Reporting) -> None:
    """The child died between spool and stream: the main process sends it.

    Teeth: fails without `one.entry is None or` in `Resender._send_missing`.
    """
    reporting.write(only_order(reporting.world))

    reporting.pass_time(30)

    ended(reporting)


@pytest.mark.parametrize("reads_first", [True, False], ids=["after it was read", "before it was read"])
def test_what_a_wiped_redis_forgot_is_sent_again(reporting: Reporting, *, reads_first: bool) -> None:
    """The entry is gone and there is no verdict: once more, until the master has answered."""
    world = reporting.world
    spool_id = reporting.write(only_order(world))
    reporting.resender.deliver(spool_id)
    reporting.resender.step()
    if reads_first:
        world.read()
    world.streams.wipe()
    world.broker.wipe()

    reporting.pass_time(40)

    ended(reporting)


def test_what_the_master_has_not_committed_yet_is_not_multiplied(reporting: Reporting) -> None:
    """During an outage of the database the entry stays where it is: it is not added again."""
    world = reporting.world
    spool_id = reporting.write(only_order(world))
    reporting.resender.deliver(spool_id)
    reporting.resender.step()

    for _ in range(60):
        world.rig.clock.advance(1.0)
        reporting.resender.step()

    assert sum(entry.spool_id == spool_id for entry in world.streams._new[world.slot]) == 1
    reporting.pass_time(30)
    ended(reporting)


def test_a_restarted_worker_sends_what_its_predecessor_left(reporting: Reporting, tmp_path: Path) -> None:
    """The RESULT stands before the ONLINE that would have accused it: no second attempt."""
    world = reporting.world
    reporting.write(only_order(world))
    reporting.spool.close()
    world.replace_worker("w1-2")

    successor = Reporting(world, tmp_path, "w1-2")
    successor.pass_time(30)

    ended(successor)


def test_a_lost_verdict_is_asked_for_again(reporting: Reporting) -> None:
    """The entry was acknowledged and the worker never heard of it: it sends again, and hears `ok`."""
    world = reporting.world
    spool_id = reporting.write(only_order(world))
    reporting.resender.deliver(spool_id)
    reporting.resender.step()
    world.settle()
    assert world.state is WorkflowState.SUCCESS
    world.streams.acknowledged.clear()

    reporting.pass_time(30)

    ended(reporting)
    assert {verdict for entry, verdict in world.streams.acknowledged if entry.spool_id == spool_id} == {"ok"}
