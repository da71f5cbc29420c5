"""I7: what cannot be understood or does not exist is recorded and acknowledged, and the reader goes on."""

import pytest

from orchestrator.broker.codec import MAX_EVENT_BYTES
from orchestrator.core.event import TaskRunning
from orchestrator.core.status import TaskState
from tests.contract.invariants.cases import claimed, last
from tests.world import World

GOOD = (
    b'{"v":1,"type":"RUNNING","workflow_instance_id":1,"task":"first","attempt":1,"dispatch":1,"ticket":"x"}'
)

MALFORMED = {
    "empty": b"",
    "no JSON": b"\x00\xff nonsense",
    "cut off": GOOD[:40],
    "another type": GOOD.replace(b"RUNNING", b"DANCING"),
    "another version": GOOD.replace(b'"v":1', b'"v":99'),
    "wrong field": GOOD.replace(b'"attempt":1', b'"attempt":"one"'),
    "negative attempt": GOOD.replace(b'"attempt":1', b'"attempt":-1'),
    "huge": GOOD[:-1] + b',"host":"' + b"x" * MAX_EVENT_BYTES + b'"}',
    "deep": b"[" * 100_000,
    "a list": b"[]",
}


@pytest.mark.parametrize("fault", MALFORMED)
def test_a_malformed_entry_is_buried_and_the_next_one_is_handled(world: World, fault: str) -> None:
    """It goes to the dead letters with the reason; the good event behind it counts.

    Teeth: fails without `except MalformedEvent` in `item_of`.
    """
    claimed(world)
    (order,) = world.worker.held.values()

    bad = world.add(MALFORMED[fault])
    good = world.worker.running(order)
    world.settle()

    assert [(entry.id, bool(reason)) for entry, reason in world.streams.dead] == [(bad.id, True)]
    assert world.verdict(bad) == "buried"
    assert world.verdict(good) == "ok"
    assert world.attempt("first").state is TaskState.RUNNING


@pytest.mark.parametrize(
    "change",
    [{"workflow_instance_id": 999_999_999}, {"task": "nobody"}, {"attempt": 7}, {"task": "join"}],
    ids=["run", "task", "attempt", "attempt of a known task"],
)
def test_what_does_not_exist_is_stale_after_asking_the_database(
    world: World, change: dict[str, object]
) -> None:
    """Nobody knows it, in memory or in the database: the worker shall stop it; the next event counts."""
    claimed(world)
    (order,) = world.worker.held.values()
    rows = world.database()

    bad = world.worker.running(order, **change)
    world.settle()
    assert world.database() == rows
    assert world.verdict(bad) == "stale"

    good = world.worker.running(order)
    world.settle()
    assert world.verdict(good) == "ok"


@pytest.mark.parametrize(
    ("change", "verdict"),
    [({}, "ok"), ({"attempt": 7}, "stale"), ({"task": "nobody"}, "stale"), ({"ticket": "guessed"}, "buried")],
    ids=["repeat", "attempt", "task", "forged"],
)
def test_of_an_ended_run_the_one_attempt_row_decides(
    world: World, change: dict[str, object], verdict: str
) -> None:
    """The run has left memory: its row says whether this is a repeat, stale or forged; nothing changes."""
    last(world)
    (order,) = world.worker.held.values()
    world.worker.result(order)
    world.settle()
    assert world.rig.master.lanes.get(world.run) is None
    rows = world.database()

    entry = world.worker.running(order, **change)
    world.settle()

    told = [row["kind"] for row in world.database()["outbox"]]
    assert told == (["buried"] if verdict == "buried" else [])
    assert {**world.database(), "outbox": []} == rows
    assert world.verdict(entry) == verdict


def test_a_forged_success_is_buried(world: World) -> None:
    """Without the ticket of the dispatch nobody ends an attempt.

    Teeth: fails without the comparison of tickets in `check_event`.
    """
    claimed(world)

    entry = world.say(world.attempt("first"), TaskRunning, ticket="guessed")
    world.settle()

    assert world.verdict(entry) == "buried"
    assert world.attempt("first").state is TaskState.DISPATCHED
