"""Signs of life: of workers, with what they learn in return, and of masters."""

from datetime import timedelta

import redis

from orchestrator.broker.keys import WORKER_TTL_S, Keys
from orchestrator.broker.masters import Control, MasterBoard
from orchestrator.broker.presence import Presence, WorkerBeat

BEAT = WorkerBeat(
    name="celery@w1",
    incarnation="i1",
    host="host",
    pid=42,
    groups=("default", "celery@w1.dq2"),
    capacity=4,
    running=("7:load:1:1",),
    spooled=2,
    resent=1,
)


def test_a_heartbeat_is_seen_with_redis_time(client: redis.Redis, redis_keys: Keys) -> None:
    """Everything that the worker said is there; its age is measured by one clock."""
    presence = Presence(client, redis_keys)
    presence.beat(BEAT)

    now, workers = presence.living()

    ((beat, seen),) = workers
    assert beat == BEAT
    assert timedelta(0) <= now - seen < timedelta(seconds=5)


def test_the_last_heartbeat_counts(client: redis.Redis, redis_keys: Keys) -> None:
    """A worker that came back has a new incarnation and one place."""
    presence = Presence(client, redis_keys)
    presence.beat(BEAT)
    again = WorkerBeat(name=BEAT.name, incarnation="i2")

    presence.beat(again)

    assert [beat for beat, _ in presence.living()[1]] == [again]


def test_a_worker_that_leaves_is_forgotten(client: redis.Redis, redis_keys: Keys) -> None:
    """A graceful end is no loss."""
    presence = Presence(client, redis_keys)
    presence.beat(BEAT)

    presence.leave(BEAT.name)

    assert presence.living()[1] == []


def test_a_drained_worker_hears_it_until_it_is_resumed(client: redis.Redis, redis_keys: Keys) -> None:
    """The flag stands in the answer to its heartbeats."""
    presence = Presence(client, redis_keys)
    answers = [presence.beat(BEAT).drain]
    presence.drain(BEAT.name)
    answers += [presence.beat(BEAT).drain, presence.beat(BEAT).drain]
    presence.resume(BEAT.name)

    assert [*answers, presence.beat(BEAT).drain] == [False, True, True, False]


def test_a_heartbeat_that_nobody_understands_is_left_out(client: redis.Redis, redis_keys: Keys) -> None:
    """A worker of another version does not break the master."""
    presence = Presence(client, redis_keys)
    presence.beat(BEAT)
    client.hset(redis_keys.worker(BEAT.name), "beat", b"{")

    assert presence.living()[1] == []


def test_workers_that_were_silent_for_a_day_are_forgotten(client: redis.Redis, redis_keys: Keys) -> None:
    """The next heartbeat of any worker cleans up."""
    presence = Presence(client, redis_keys)
    presence.beat(BEAT)
    client.zadd(redis_keys.workers(), {"celery@old": 1.0})

    presence.beat(BEAT)

    assert client.zrange(redis_keys.workers(), 0, -1) == [BEAT.name.encode()]
    assert client.ttl(redis_keys.workers()) > WORKER_TTL_S - 60


def test_a_masters_status_is_shown_until_it_leaves(client: redis.Redis, redis_keys: Keys) -> None:
    """The last document of each master counts."""
    board = MasterBoard(client, redis_keys)
    board.publish("m1", {"name": "m1", "parked": []})
    board.publish("m1", {"name": "m1", "parked": [{"workflow_instance_id": 7}]})
    board.publish("m2", {"name": "m2"})

    shown = board.all()
    board.leave("m1")

    assert shown == [{"name": "m1", "parked": [{"workflow_instance_id": 7}]}, {"name": "m2"}]
    assert board.all() == [{"name": "m2"}]


def test_requests_to_masters_are_taken_once_in_order(client: redis.Redis, redis_keys: Keys) -> None:
    """Retry or bury a parked lane."""
    control = Control(client, redis_keys)
    requests = [{"do": "retry", "workflow_instance_id": 7}, {"do": "bury", "workflow_instance_id": 8}]
    for request in requests:
        control.ask(request)

    assert control.take() == requests
    assert control.take() == []
