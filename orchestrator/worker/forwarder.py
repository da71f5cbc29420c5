"""Owns the way of orders from our broker to that of an attached application, where those are two.

The worker consumes its application's broker only, unchanged. So its main process takes what masters publish for
its queues and publishes it again, there. A message that is lost or doubled on the way does no harm: the claim lets
one copy start, and what nobody claims is recalled and dispatched again.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import structlog
from celery import Celery
from kombu import Connection, Consumer, Queue
from kombu.exceptions import KombuError

from orchestrator.broker import codec
from orchestrator.broker.publish import ORIGIN, Publisher
from orchestrator.errors import BrokerUnavailable, MalformedEvent

FORWARDED = f"{ORIGIN}.forwarded"
WAIT_S = 1.0

log = structlog.get_logger(__name__)


class Forwarder:
    """Takes orders from one broker and publishes them at another one. For one thread.

    Args:
        connect: Returns a new connection to the broker that masters publish to.
        publisher: Publishes at the application's broker, with the origin `FORWARDED`.
        queues: The names of the queues to take from.
        is_open: Whether this worker takes anything new.

    Attributes:
        is_connected: Both brokers answered when they were last needed.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        publisher: Publisher,
        queues: Callable[[], tuple[str, ...]],
        is_open: Callable[[], bool],
    ) -> None:
        self._connect = connect
        self._publisher = publisher
        self._queues = queues
        self._is_open = is_open
        self._connection: Any = None
        self._served: tuple[str, ...] = ()
        self._goes_round = False
        self.is_connected = True

    def step(self) -> None:
        """Wait a little for orders and pass them on; while the worker is draining, leave them to others.

        Raises:
            BrokerUnavailable: One of the brokers is away; what was not passed on is taken again.
        """
        if self._goes_round or not self._is_open():
            self.close()
            return
        try:
            if self._connection is None or self._served != self._queues():
                self._open()
            self.is_connected = True
            self._connection.drain_events(timeout=WAIT_S)
        except TimeoutError:
            return
        except BrokerUnavailable:
            self._lose()
            raise
        except self._driver_errors() as error:
            self._lose()
            raise BrokerUnavailable(f"the masters' broker: {type(error).__name__}: {error}") from error

    def close(self) -> None:
        """Close both connections; what was taken and not passed on goes back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):  # it is broken perhaps: that is why it is closed
                connection.release()
            self._publisher.close()

    def _lose(self) -> None:
        self.is_connected = False
        self.close()

    def _open(self) -> None:
        self.close()
        self._connection, self._served = self._connect(), self._queues()
        self._connection.connect()
        queues = [Queue(name, exchange="", routing_key=name) for name in self._served]
        consumer = Consumer(
            self._connection.channel(), queues, accept=["json"], on_message=self._pass_on, auto_declare=False
        )
        consumer.qos(prefetch_count=1)
        consumer.consume()

    def _pass_on(self, message: Any) -> None:
        headers: Mapping[str, Any] = message.headers or {}
        if headers.get("origin") == FORWARDED:
            log.error("worker.forwards_to_itself", queue=self._served)
            self._goes_round = True
            message.requeue()
            return
        try:
            order, generation = codec.order_from_message(message.payload[1])
        except (MalformedEvent, LookupError, TypeError, AttributeError, KombuError) as error:
            log.error("worker.order_malformed", error=str(error))  # noqa: TRY400 - its text says it all
            message.ack()
            return
        self._publisher.publish([order], generation, expires=headers.get("expires"))
        message.ack()

    def _driver_errors(self) -> tuple[type[BaseException], ...]:
        theirs = (
            self._connection.connection_errors + self._connection.channel_errors if self._connection else ()
        )
        return (KombuError, OSError, *theirs)


def is_same_broker(one: Celery, other: Celery) -> bool:
    """Return whether what one application publishes is what the other one's workers consume."""
    return _address(one) == _address(other)


def _address(app: Celery) -> tuple[str, ...]:
    with app.connection_for_write() as connection:
        info = connection.info()
        prefix = (connection.transport_options or {}).get("global_keyprefix", "")
    place = (
        info["transport"],
        info["hostname"],
        info["port"],
        str(info["virtual_host"] or "").strip("/") or "0",
    )
    return (*(str(one) for one in place), prefix)
