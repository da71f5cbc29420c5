"""Owns the signs of life of workers, judged by Redis' clock, and what a worker learns when it gives one."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import redis

from orchestrator.broker.connection import redis_errors
from orchestrator.broker.inbox import StopRequest
from orchestrator.broker.keys import DRAIN_TTL_S, WORKER_TTL_S, Keys

ONLINE, DRAINING, NO_BROKER = "online", "draining", "no_broker"
"""What a worker says of itself: it takes orders, it takes none any more, it cannot take any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerBeat:
    """What a worker says of itself with every heartbeat.

    Attributes:
        pid: Of its main process.
        groups: The worker groups (queues) that it serves.
        capacity: How many tasks it runs at once.
        running: Ids of the orders it answers for, until the verdict on their end.
        state: `online`, `draining`, or `no_broker`: it has lost the broker, and is trying to connect.
        spooled: Reports without a verdict.
        resent: Reports sent again since its start.
        tasks: The Celery tasks that it can call for nodes of type `celery`.
    """

    name: str
    incarnation: str
    host: str = ""
    pid: int = 0
    groups: tuple[str, ...] = ()
    capacity: int = 0
    running: tuple[str, ...] = ()
    state: str = ONLINE
    spooled: int = 0
    resent: int = 0
    tasks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BeatAnswer:
    """What a worker must know.

    Attributes:
        drain: It shall take nothing new.
        stops: Those of its running orders that shall end.
        redis_now: Redis' time.
    """

    drain: bool
    stops: tuple[StopRequest, ...] = ()
    redis_now: datetime


class Presence:
    """Writes and reads heartbeats.

    Args:
        client: From `open_redis`.
        keys: Key names.
    """

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    def beat(self, beat: WorkerBeat) -> BeatAnswer:
        """Show that a worker lives, at Redis' time, and return what it must know.

        Raises:
            BrokerUnavailable: Redis did not answer; the heartbeat may or may not count.
        """
        with redis_errors():
            now, drain, *reasons = self._ask(beat)
            self._write(beat, now)
        stops = (
            StopRequest(order_id=order_id, reason=reason.decode())
            for order_id, reason in zip(beat.running, reasons, strict=True)
            if reason is not None
        )
        return BeatAnswer(drain=drain is not None, stops=tuple(stops), redis_now=_time(now))

    def living(self) -> tuple[datetime, list[tuple[WorkerBeat, datetime]]]:
        """Return Redis' time, and every worker that did not say good-bye with the time it was last seen.

        The caller judges who is lost; a worker is forgotten a day after its last heartbeat.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        with redis_errors():
            now, seen = self._now_and_seen()
            bodies = self._bodies([name for name, _ in seen])
        found = ((_beat(body), at) for body, (_, at) in zip(bodies, seen, strict=True))
        return now, [(beat, at) for beat, at in found if beat is not None]

    def leave(self, name: str) -> None:
        """Forget a worker that ended in order.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        with redis_errors(), self._client.pipeline(transaction=False) as pipe:
            pipe.zrem(self._keys.workers(), name)
            pipe.delete(self._keys.worker(name))
            pipe.execute()

    def drain(self, name: str) -> None:
        """Let a worker take nothing new: it hears so with its next heartbeat.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        with redis_errors():
            self._client.set(self._keys.drain(name), "1", ex=DRAIN_TTL_S)

    def resume(self, name: str) -> None:
        """Let a drained worker work again.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        with redis_errors():
            self._client.delete(self._keys.drain(name))

    def _ask(self, beat: WorkerBeat) -> list[Any]:
        """Return Redis' time, the drain flag, and the stop marker of each running order."""
        with self._client.pipeline(transaction=False) as pipe:
            pipe.time()
            pipe.get(self._keys.drain(beat.name))
            for order_id in beat.running:
                pipe.get(self._keys.stop(order_id))
            return pipe.execute()

    def _write(self, beat: WorkerBeat, now: tuple[int, int]) -> None:
        body = msgspec.json.encode(beat)
        with self._client.pipeline(transaction=False) as pipe:
            pipe.hset(self._keys.worker(beat.name), "beat", body)
            pipe.expire(self._keys.worker(beat.name), WORKER_TTL_S)
            pipe.zadd(self._keys.workers(), {beat.name: _seconds(now)})
            pipe.zremrangebyscore(self._keys.workers(), "-inf", _seconds(now) - WORKER_TTL_S)
            pipe.expire(self._keys.workers(), WORKER_TTL_S)
            pipe.expire(self._keys.drain(beat.name), DRAIN_TTL_S)
            pipe.execute()

    def _now_and_seen(self) -> tuple[datetime, list[tuple[str, datetime]]]:
        with self._client.pipeline(transaction=False) as pipe:
            pipe.zrange(self._keys.workers(), 0, -1, withscores=True)
            pipe.time()  # after the reading: nobody was seen in the future
            members, now = pipe.execute()
        return _time(now), [
            (name.decode(errors="replace"), datetime.fromtimestamp(score, UTC)) for name, score in members
        ]

    def _bodies(self, names: list[str]) -> list[bytes | None]:
        with self._client.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.hget(self._keys.worker(name), "beat")
            bodies: list[bytes | None] = pipe.execute()
            return bodies


_BEAT = msgspec.json.Decoder(WorkerBeat)


def _beat(body: bytes | None) -> WorkerBeat | None:
    """Return a heartbeat, or `None` if it is gone or not one of this version."""
    try:
        return _BEAT.decode(body) if body is not None else None
    except ValueError:
        return None


def _seconds(now: tuple[int, int]) -> float:
    return now[0] + now[1] / 1_000_000


def _time(now: tuple[int, int]) -> datetime:
    return datetime.fromtimestamp(_seconds(now), UTC)
