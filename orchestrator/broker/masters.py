"""Owns what masters show of themselves, and the requests about parked lanes that people leave for them."""

from collections.abc import Mapping
from typing import Any

import msgspec
import redis

from orchestrator.broker.connection import redis_errors
from orchestrator.broker.keys import CONTROL_TTL_S, MASTER_TTL_S, Keys

MOST_REQUESTS = 1_000


class MasterBoard:
    """The status of every master, as JSON documents that expire.

    Args:
        client: From `open_redis`.
        keys: Key names.
    """

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    def publish(self, name: str, status: Mapping[str, Any]) -> None:
        """Show the status of the master `name` for the next minute.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        body = msgspec.json.encode(dict(status))
        with redis_errors():
            seconds, _ = self._time()
            with self._client.pipeline(transaction=False) as pipe:
                pipe.set(self._keys.master(name), body, ex=MASTER_TTL_S)
                pipe.zadd(self._keys.masters(), {name: seconds})
                pipe.zremrangebyscore(self._keys.masters(), "-inf", seconds - MASTER_TTL_S)
                pipe.expire(self._keys.masters(), MASTER_TTL_S)
                pipe.execute()

    def all(self) -> list[dict[str, Any]]:
        """Return the documents of all masters that showed themselves within the last minute.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        with redis_errors():
            names: Any = self._client.zrange(self._keys.masters(), 0, -1)
            with self._client.pipeline(transaction=False) as pipe:
                for name in names:
                    pipe.get(self._keys.master(name.decode()))
                return [msgspec.json.decode(body) for body in pipe.execute() if body is not None]

    def leave(self, name: str) -> None:
        """Forget a master that ended in order.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        with redis_errors(), self._client.pipeline(transaction=False) as pipe:
            pipe.zrem(self._keys.masters(), name)
            pipe.delete(self._keys.master(name))
            pipe.execute()

    def _time(self) -> tuple[int, int]:
        now: Any = self._client.time()
        return int(now[0]), int(now[1])


class Control:
    """Requests about parked lanes (`retry`, `bury`), in order, each for one master.

    Args:
        client: From `open_redis`.
        keys: Key names.
    """

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._client = client
        self._key = keys.control()

    def ask(self, request: Mapping[str, Any]) -> None:
        """Leave a request, such as `{"do": "retry", "workflow_instance_id": 7}`.

        Raises:
            BrokerUnavailable: Redis did not answer.
        """
        with redis_errors(), self._client.pipeline(transaction=True) as pipe:
            pipe.rpush(self._key, msgspec.json.encode(dict(request)))
            pipe.expire(self._key, CONTROL_TTL_S)
            pipe.execute()

    def take(self) -> list[dict[str, Any]]:
        """Return and remove what was asked, oldest first; it never waits.

        Raises:
            BrokerUnavailable: Redis did not answer; requests of a lost reply are lost, people ask again.
        """
        with redis_errors():
            raw: Any = self._client.lpop(self._key, MOST_REQUESTS)
        return [msgspec.json.decode(one) for one in raw or ()]
