"""Owns the hand-over of orders to Celery, many at a time."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from celery import Celery
from kombu import Producer
from kombu.exceptions import KombuError, SerializationError

from orchestrator.broker.codec import order_to_message
from orchestrator.broker.keys import MESSAGE_LIFE
from orchestrator.core.order import Order
from orchestrator.errors import BrokerUnavailable, UnresolvedParameter

TASK = "orchestrator.execute"
BATCH = 500
ORIGIN = "orchestrator"
DIRECT = ".dq2"
"""How the names of workers' own queues end (Celery's `worker_direct`)."""


class Publisher:
    """Publishes orders as messages of the Celery task `orchestrator.execute`.

    A message's id is its order's id; Flower and worker logs show `workflow/task`, behind the name of a registered
    task. With Redis, kombu collects a batch into one pipeline; other brokers get one message after the other. For
    one thread. The batch stays open from call to call: opening one makes a Redis client, which costs as much as a
    message.

    Args:
        app: The Celery app, for its broker and its settings.
        origin: Who publishes; messages say it.
    """

    def __init__(self, app: Celery, *, origin: str = ORIGIN) -> None:
        self._app = app
        self._origin = origin
        self._producer: Any = None  # kombu's type hints do not know `batch` yet
        self._batch: Any = None

    def publish(self, orders: Sequence[Order], generation: str, *, expires: str | None = None) -> None:
        """Publish all of `orders`, each to its queue, in order.

        Args:
            orders: The hand-overs.
            generation: The generation of this life of Redis; claims are checked against it.
            expires: When the messages are void, in ISO 8601; default: a message's whole life from now.

        Raises:
            BrokerUnavailable: The broker did not answer; each message may or may not be there.
            UnresolvedParameter: An order holds what no message can; none of the batch need be there.
        """
        if not orders:
            return
        expires = expires or (datetime.now(UTC) + MESSAGE_LIFE).isoformat()
        try:
            batch = self._opened()
            for order in orders:
                self._send(order, generation, expires)
            batch.flush()
        except SerializationError as error:  # the order's fault, not the broker's
            self._abandon(error)
            raise UnresolvedParameter(f"the order cannot be sent: {error}") from error
        except self._driver_errors() as error:
            self._abandon(error)
            self.close()
            raise BrokerUnavailable(f"Celery's broker: {type(error).__name__}: {error}") from error
        except BaseException as error:
            self._abandon(error)
            raise

    def close(self) -> None:
        """Close the connection; the next `publish` opens a new one."""
        self._abandon(None)
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(Exception):  # it is broken perhaps: that is why it is closed
                producer.connection.release()

    def _opened(self) -> Any:
        if self._producer is None:
            connection = self._app.connection_for_write()
            connection.connect()  # unlike `default_channel`, it tries once only
            self._producer = Producer(connection.channel(), auto_declare=False)
        if self._batch is None:
            self._batch = self._producer.batch(BATCH)
            self._batch.__enter__()
        return self._batch

    def _abandon(self, error: BaseException | None) -> None:
        """End the batch; after an error, without what is still in it."""
        batch, self._batch = self._batch, None
        if batch is not None:
            with suppress(Exception):  # its connection is broken perhaps, and the first error tells more
                batch.__exit__(type(error) if error else None, error, None)

    def _undeclared(self, queue: str) -> list[Any]:
        """Return what must be declared before a message goes to `queue`, or the broker would drop it.

        A Redis list needs nothing; a worker's own queue is the worker's to declare.
        """
        if queue.endswith(DIRECT) or self._producer.connection.transport.driver_type == "redis":
            return []
        return [self._app.amqp.queues[queue]]

    def _driver_errors(self) -> tuple[type[BaseException], ...]:
        """Return what a broker that is away looks like; looked up only when something was raised."""
        transport = self._app.connection_for_write().transport
        return (KombuError, *transport.connection_errors, *transport.channel_errors)

    def _send(self, order: Order, generation: str, expires: str) -> None:
        headers, properties, body, _ = self._app.amqp.create_task_message(
            order.id,
            TASK,
            (),
            order_to_message(order, generation),
            argsrepr="()",
            kwargsrepr=_shown(order),
            shadow=_name(order),
            expires=expires,
            ignore_result=True,
            origin=self._origin,
        )
        # the nameless exchange takes a message straight to the queue of that name, whoever has declared it
        self._producer.publish(
            body,
            exchange="",
            routing_key=order.queue,
            serializer="json",
            headers=headers,
            retry=False,
            declare=self._undeclared(order.queue),
            **properties,
        )


def _name(order: Order) -> str:
    """Return what Flower and worker logs call the task: a registered one by its own name, too."""
    node = f"{order.workflow}/{order.task}"
    return f"{order.spec.get('call')} [{node}]" if order.type == "celery" else node


def _shown(order: Order) -> str:
    """Return what Flower shows as the arguments: short, and without anybody's data."""
    return repr(
        {"instance": order.workflow_instance_id, "attempt": order.attempt, "dispatch": order.dispatch}
    )
