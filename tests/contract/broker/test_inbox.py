"""The worker's inbox: verdicts and stop requests."""

import time

import redis

from orchestrator.broker.inbox import StopRequest, Stops, Verdict, WorkerInbox
from orchestrator.broker.keys import Keys
from orchestrator.broker.presence import Presence, WorkerBeat
from orchestrator.broker.stream import Entry, EventStream

ORDERS = ["7:load:1:1", "7:extract:1:2"]


def test_a_stop_request_reaches_the_worker_at_once(client: redis.Redis, redis_keys: Keys) -> None:
    """By its inbox, with the reason."""
    Stops(client, redis_keys).request("w1", ORDERS, "stop")

    received = WorkerInbox(client, redis_keys, "w1").receive(1.0)

    assert received == [StopRequest(order_id=one, reason="stop") for one in ORDERS]


def test_a_stop_request_stands_in_the_answer_to_the_heartbeat_too(
    client: redis.Redis, redis_keys: Keys
) -> None:
    """The inbox may be lost; also when the worker's name was not known to the one who asked."""
    Stops(client, redis_keys).request("", ORDERS[:1], "stop")

    answer = Presence(client, redis_keys).beat(WorkerBeat(name="w1", incarnation="i", running=tuple(ORDERS)))

    assert answer.stops == (StopRequest(order_id=ORDERS[0], reason="stop"),)


def test_each_worker_hears_only_what_is_meant_for_it(client: redis.Redis, redis_keys: Keys) -> None:
    """One inbox per worker name."""
    stops = Stops(client, redis_keys)
    stops.request("w1", ORDERS[:1], "stop")
    stops.request("w2", ORDERS[1:], "stop")
    stops.request("w2", [], "stop")

    received = WorkerInbox(client, redis_keys, "w2").receive(1.0)

    assert received == [StopRequest(order_id=ORDERS[1], reason="stop")]


def test_an_empty_inbox_answers_after_the_time_asked_for(real_client: redis.Redis, redis_keys: Keys) -> None:
    """Never for ever, also for a time of zero."""
    inbox = WorkerInbox(real_client, redis_keys, "w1")
    began = time.monotonic()

    assert inbox.receive(0.05) == []
    assert inbox.receive(0.0) == []

    assert 0.04 < time.monotonic() - began < 2.0


def test_many_messages_come_in_one_answer_in_order(client: redis.Redis, redis_keys: Keys) -> None:
    """A busy worker does not need a round trip per verdict."""
    entries = [Entry(slot=0, id=f"{number}-1", worker="w1", spool_id=number) for number in range(1, 501)]
    EventStream(client, redis_keys, "m").acknowledge([(entry, "ok") for entry in entries])

    received = WorkerInbox(client, redis_keys, "w1").receive(1.0)

    assert received == [Verdict(spool_id=number, verdict="ok") for number in range(1, 501)]


def test_a_message_that_nobody_understands_is_left_out(client: redis.Redis, redis_keys: Keys) -> None:
    """The receiver goes on with the next one."""
    client.rpush(redis_keys.inbox("w1"), b"\xff", b"{}", b'{"verdict":"ok","spool_id":3}')
    client.expire(redis_keys.inbox("w1"), 60)

    assert WorkerInbox(client, redis_keys, "w1").receive(1.0) == [Verdict(spool_id=3, verdict="ok")]
