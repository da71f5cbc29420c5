"""Owns the simulated Celery transport: queues in the simulated Redis.

They have Celery's own hole: a message is taken from its queue one round trip before it is noted as
unacknowledged; a worker that dies leaves its unacknowledged messages to be restored much later.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
import redis

from orchestrator.broker.codec import order_to_message
from orchestrator.broker.connection import redis_errors
from orchestrator.core.order import Order

UNACKED = b"celery:unacked"
QUEUES = b"celery:queue:"
"""How the names of all queues begin."""


def queue_key(queue: str) -> bytes:
    """Return the list that holds a queue."""
    return QUEUES + queue.encode()


class SimulatedCourier:
    """Publishes orders (the master's side).

    Args:
        client: The master's connection.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def publish(self, orders: Sequence[Order], generation: str) -> None:
        """Publish all of `orders` in one round trip.

        Raises:
            BrokerUnavailable: Each message may or may not be there.
        """
        with redis_errors(), self._client.pipeline(transaction=False) as pipe:
            for order in orders:
                pipe.rpush(queue_key(order.queue), msgspec.json.encode(order_to_message(order, generation)))
            pipe.execute()


class Deliveries:
    """Takes messages (the worker's side).

    Args:
        client: The worker's connection.
        owner: Prefix of the names of unacknowledged deliveries.
    """

    def __init__(self, client: redis.Redis, owner: str) -> None:
        self._client = client
        self._owner = owner
        self._count = 0

    def take(self, queues: Sequence[bytes]) -> tuple[str, dict[str, Any]] | None:
        """Return the next message and the tag of its delivery, or `None`.

        Raises:
            BrokerUnavailable: A message may have been taken and be nowhere.
        """
        for queue in queues:
            with redis_errors():
                raw: Any = self._client.lpop(queue)
            if raw is None:
                continue
            self._count += 1
            tag = f"{self._owner}#{self._count}"
            with redis_errors():
                self._client.hset(UNACKED, tag, queue + b"\n" + raw)
            return tag, msgspec.json.decode(raw)
        return None

    def acknowledge(self, tag: str) -> None:
        """Forget a delivery.

        Raises:
            BrokerUnavailable: It may come again.
        """
        with redis_errors():
            self._client.hdel(UNACKED, tag)
