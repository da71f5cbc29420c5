"""The event streams: reading, verdicts, waking, and what a lost reader or a wiped Redis leaves behind."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from orchestrator.broker.inbox import Verdict, WorkerInbox
from orchestrator.broker.keys import GROUP, Keys
from orchestrator.broker.sender import EventSender, Outgoing
from orchestrator.broker.stream import Entry, EventStream
from orchestrator.embedded.redis import PrivateRedis
from orchestrator.errors import BrokerUnavailable
from tests.fixtures.redis import wait_until

WORKER = "celery@host"


def send(client: redis.Redis, keys: Keys, slot: int, *spool_ids: int) -> list[str]:
    """Send one event per spool id to `slot`; return the entries' ids."""
    sender = EventSender(client, keys)
    return [sender.send(slot, WORKER, spool_id, f"event {spool_id}".encode()) for spool_id in spool_ids]


def make_stream(client: redis.Redis, keys: Keys, consumer: str = "master1") -> EventStream:
    """A master's side with its groups in place."""
    stream = EventStream(client, keys, consumer)
    stream.ensure_groups([0, 1])
    return stream


def spool_ids(entries: list[Entry]) -> list[int]:
    """What the worker knows the entries by."""
    return [entry.spool_id for entry in entries]


def test_an_event_is_read_as_it_was_sent(client: redis.Redis, redis_keys: Keys) -> None:
    """Slot, id, sender, spool id and payload arrive."""
    stream = make_stream(client, redis_keys)
    (sent,) = send(client, redis_keys, 1, 5)

    entries = stream.read([0, 1], count=10)

    assert entries == [Entry(slot=1, id=sent, worker=WORKER, spool_id=5, payload=b"event 5")]


def test_events_that_came_before_the_group_are_read(client: redis.Redis, redis_keys: Keys) -> None:
    """Groups begin at the first entry: a worker may be faster than the first master."""
    send(client, redis_keys, 0, 1, 2)

    entries = make_stream(client, redis_keys).read([0], count=10)

    assert spool_ids(entries) == [1, 2]


def test_many_slots_are_read_at_once_each_up_to_the_count(client: redis.Redis, redis_keys: Keys) -> None:
    """Entries of one slot stand together, in order."""
    stream = make_stream(client, redis_keys)
    send(client, redis_keys, 0, 1, 2, 3)
    send(client, redis_keys, 1, 11, 12, 13)

    entries = stream.read([0, 1], count=2)

    assert [(entry.slot, entry.spool_id) for entry in entries] == [(0, 1), (0, 2), (1, 11), (1, 12)]


def test_an_entry_is_handed_out_once_as_new(client: redis.Redis, redis_keys: Keys) -> None:
    """What was read is pending and not new any more."""
    stream = make_stream(client, redis_keys)
    send(client, redis_keys, 0, 1)
    stream.read([0], count=10)

    assert stream.read([0], count=10) == []


def test_own_pending_entries_are_read_again_from_where_the_reader_stopped(
    client: redis.Redis, redis_keys: Keys
) -> None:
    """After a lost reply the reader begins again at what it holds already, slot by slot."""
    stream = make_stream(client, redis_keys)
    ids = send(client, redis_keys, 0, 1, 2, 3)
    send(client, redis_keys, 1, 11)
    stream.read([0, 1], count=10)

    first = stream.read([0, 1], count=2, pending_after={0: "0", 1: "0"})
    rest = stream.read([0], count=2, pending_after={0: ids[1]})
    end = stream.read([0], count=2, pending_after={0: ids[2]})

    assert [spool_ids(one) for one in (first, rest, end)] == [[1, 2, 11], [3], []]


def test_pending_entries_that_were_deleted_are_acknowledged_and_left_out(
    client: redis.Redis, redis_keys: Keys
) -> None:
    """A crash between XDEL and XACK leaves such; more than one reading of them must not hide what follows."""
    stream = make_stream(client, redis_keys)
    ids = send(client, redis_keys, 0, 1, 2, 3, 4, 5)
    stream.read([0], count=10)
    client.xdel(redis_keys.events(0), *ids[:4])

    entries = stream.read([0], count=2, pending_after={0: "0"})

    assert spool_ids(entries) == [5]
    assert client.xpending(redis_keys.events(0), GROUP)["pending"] == 1


def test_a_verdict_removes_the_entry_and_reaches_the_worker(client: redis.Redis, redis_keys: Keys) -> None:
    """XACK and XDEL, then the inbox; nothing is pending afterwards."""
    # teeth: fails when `acknowledge` leaves out the XDEL
    stream = make_stream(client, redis_keys)
    send(client, redis_keys, 0, 1, 2)
    send(client, redis_keys, 1, 3)
    entries = stream.read([0, 1], count=10)

    stream.acknowledge(list(zip(entries, ["ok", "stale", "buried"], strict=True)))

    assert WorkerInbox(client, redis_keys, WORKER).receive(1.0) == [
        Verdict(spool_id=1, verdict="ok"),
        Verdict(spool_id=2, verdict="stale"),
        Verdict(spool_id=3, verdict="buried"),
    ]
    assert stream.read([0, 1], count=10, pending_after={0: "0", 1: "0"}) == []
    assert stream.lag([0, 1]) == {0: 0, 1: 0}


def test_acknowledging_twice_is_harmless(client: redis.Redis, redis_keys: Keys) -> None:
    """The reply of the first time may have been lost (I16)."""
    stream = make_stream(client, redis_keys)
    send(client, redis_keys, 0, 1)
    (entry,) = stream.read([0], count=10)

    stream.acknowledge([(entry, "ok")])
    stream.acknowledge([(entry, "ok")])

    verdicts = WorkerInbox(client, redis_keys, WORKER).receive(1.0)
    assert verdicts == [Verdict(spool_id=1, verdict="ok")] * 2


def test_a_wake_entry_says_what_it_is_and_nobody_hears_its_verdict(
    client: redis.Redis, redis_keys: Keys
) -> None:
    """The master tells it from an event, and acknowledges it like one."""
    stream = make_stream(client, redis_keys)
    stream.wake(1)
    EventSender(client, redis_keys).wake(1)

    entries = stream.read([0, 1], count=10)
    stream.acknowledge([(entry, "ok") for entry in entries])

    assert [(entry.slot, entry.kind, entry.worker) for entry in entries] == [(1, "wake", "")] * 2
    assert stream.lag([1]) == {1: 0}
    assert list(client.scan_iter(redis_keys.inbox("*"))) == []


def test_a_parked_entry_is_fetched_by_its_id(client: redis.Redis, redis_keys: Keys) -> None:
    """A parked lane keeps ids only; entries that are gone are left out."""
    stream = make_stream(client, redis_keys)
    ids = send(client, redis_keys, 0, 1, 2, 3)
    client.xdel(redis_keys.events(0), ids[1])

    entries = stream.fetch(0, [ids[2], ids[1], ids[0]])

    assert spool_ids(entries) == [3, 1]


def test_what_another_master_left_is_taken_over(client: redis.Redis, redis_keys: Keys) -> None:
    """After the takeover the entries are own pending ones, and the first master has none."""
    other = make_stream(client, redis_keys, "master0")
    send(client, redis_keys, 0, 1, 2)
    send(client, redis_keys, 1, 3)
    other.read([0, 1], count=10)
    stream = make_stream(client, redis_keys)

    claimed = stream.claim_pending([0, 1])

    assert claimed == 3
    assert spool_ids(stream.read([0, 1], count=10, pending_after={})) == [1, 2, 3]
    assert other.read([0, 1], count=10, pending_after={}) == []
    assert stream.claim_pending([0, 1]) == 0


def test_takeover_has_no_limit(client: redis.Redis, redis_keys: Keys) -> None:
    """More than one batch of XAUTOCLAIM is taken over as well, in order."""
    other = make_stream(client, redis_keys, "master0")
    events = [Outgoing(slot=0, worker=WORKER, spool_id=number, payload=b"x") for number in range(2_500)]
    EventSender(client, redis_keys).send_all(events)
    other.read([0], count=5_000)
    stream = make_stream(client, redis_keys)

    claimed = stream.claim_pending([0])

    assert claimed == 2_500
    assert spool_ids(stream.read([0], count=5_000, pending_after={})) == list(range(2_500))


def test_the_sender_asks_which_entries_are_still_there(client: redis.Redis, redis_keys: Keys) -> None:
    """Only events whose entry is gone are sent again, so that an outage does not multiply them."""
    sender = EventSender(client, redis_keys)
    ids = send(client, redis_keys, 0, 1, 2)
    client.xdel(redis_keys.events(0), ids[0])

    assert sender.existing(0, ids) == {ids[1]}
    assert sender.existing(1, ids) == set()
    assert sender.existing(0, []) == set()


def test_an_entry_with_foreign_fields_is_read_all_the_same(client: redis.Redis, redis_keys: Keys) -> None:
    """It becomes an entry that cannot be decoded, and never an exception in the reader."""
    stream = make_stream(client, redis_keys)
    client.xadd(redis_keys.events(0), {"foo": "bar"})
    client.xadd(redis_keys.events(0), {"w": b"\xff", "s": "x9", "p": b"\xff"})

    entries = stream.read([0], count=10)

    assert [(entry.worker, entry.spool_id, entry.payload) for entry in entries] == [
        ("", 0, b""),
        ("�", 0, b"\xff"),
    ]


def test_reading_waits_for_the_first_entry(real_client: redis.Redis, redis_keys: Keys) -> None:
    """A blocking read of nothing ends after its time, and longer than the socket allows is cut."""
    stream = make_stream(real_client, redis_keys)

    assert stream.read([0, 1], count=10, block_ms=20) == []


def test_masters_that_are_gone_leave_no_consumers(client: redis.Redis, redis_keys: Keys) -> None:
    """Who holds nothing is forgotten with the next takeover; who still reads is not harmed by it."""
    other = make_stream(client, redis_keys, "master0")
    send(client, redis_keys, 0, 1)
    other.read([0, 1], count=10)
    stream = make_stream(client, redis_keys)

    stream.claim_pending([0, 1])

    names = [one["name"] for one in client.xinfo_consumers(redis_keys.events(0), GROUP)]
    assert names == [b"master1"]
    send(client, redis_keys, 0, 2)
    assert spool_ids(other.read([0, 1], count=10)) == [2]
    stream.claim_pending([0, 1])
    assert spool_ids(stream.read([0], count=10, pending_after={})) == [1, 2]


def test_a_wiped_redis_gets_its_groups_back(client: redis.Redis, redis_keys: Keys) -> None:
    """Acknowledging and reading go on after FLUSHALL as if nothing had been there."""
    stream = make_stream(client, redis_keys)
    send(client, redis_keys, 0, 1)
    (old,) = stream.read([0], count=10)
    client.flushall()
    wait_until(lambda: send(client, redis_keys, 1, 9)[0] > old.id)  # else the new id may be the old one
    send(client, redis_keys, 0, 2)

    stream.acknowledge([(old, "ok")])

    assert spool_ids(stream.read([0], count=10)) == [2]
    client.flushall()
    assert stream.read([0, 1], count=10, pending_after={}) == []


def test_taking_over_from_a_wiped_redis_creates_the_groups(client: redis.Redis, redis_keys: Keys) -> None:
    """There is nothing to take over, and the next reading works."""
    stream = EventStream(client, redis_keys, "master1")
    send(client, redis_keys, 0, 1)

    assert stream.claim_pending([0, 1]) == 0
    assert spool_ids(stream.read([0, 1], count=10)) == [1]


def test_a_reader_that_waits_while_redis_is_wiped_hears_what_comes_then(
    real_client: redis.Redis, redis_keys: Keys
) -> None:
    """The group it waits on is gone in the middle of the call."""
    stream = make_stream(real_client, redis_keys)
    with ThreadPoolExecutor(1) as executor:
        waiting = executor.submit(stream.read, [0, 1], count=10, block_ms=5_000)
        wait_until(lambda: real_client.info("clients")["blocked_clients"] == 1)

        real_client.flushall()
        send(real_client, redis_keys, 0, 1)

        assert spool_ids(waiting.result(5.0)) == [1]


def test_a_redis_that_is_away_is_broker_unavailable(
    redis_server: PrivateRedis, real_client: redis.Redis, redis_keys: Keys
) -> None:
    """Every call fails in the one declared way; after the restart the pending entries are there (I15, I16)."""
    stream = make_stream(real_client, redis_keys)
    send(real_client, redis_keys, 0, 1)
    (entry,) = stream.read([0], count=10)
    real_client.waitaof(1, 0, 5_000)  # a busy disk may keep the server from writing at once
    redis_server.kill()
    calls: list[Callable[[], object]] = [
        lambda: stream.ensure_groups([0]),
        lambda: stream.read([0], count=1),
        lambda: stream.read([0], count=1, pending_after={}),
        lambda: stream.acknowledge([(entry, "ok")]),
        lambda: stream.claim_pending([0]),
        lambda: stream.fetch(0, ["1-0"]),
        lambda: stream.lag([0]),
        lambda: stream.wake(0),
        lambda: EventSender(real_client, redis_keys).send(0, WORKER, 2, b""),
    ]

    for call in calls:
        with pytest.raises(BrokerUnavailable):
            call()
    redis_server.start()

    assert stream.read([0], count=10, pending_after={}) == [entry]
