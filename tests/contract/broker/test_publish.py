"""Publishing: what Celery finds in its queues is what was ordered."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from celery import Celery
from celery.contrib.testing.worker import start_worker
from kombu import Consumer, Queue

from orchestrator.broker.codec import order_from_message
from orchestrator.broker.connection import celery_broker_url
from orchestrator.broker.keys import Keys
from orchestrator.broker.publish import Publisher
from orchestrator.core.order import Order
from orchestrator.embedded.redis import PrivateRedis
from orchestrator.errors import BrokerUnavailable, UnresolvedParameter


@pytest.fixture
def app(redis_server: PrivateRedis, redis_client: redis.Redis, redis_keys: Keys) -> Iterator[Celery]:
    """A Celery app of its own on the real server, under this test's prefix."""
    assert redis_client.ping()
    app = Celery("test", broker=celery_broker_url(redis_server.url), set_as_current=False)
    app.conf.broker_transport_options = {"global_keyprefix": redis_keys.prefix, "socket_timeout": 5.0}
    app.conf.worker_hijack_root_logger = False
    yield app
    app.close()


@pytest.fixture
def publisher(app: Celery) -> Iterator[Publisher]:
    """The publisher of that app."""
    publisher = Publisher(app)
    yield publisher
    publisher.close()


def order(number: int = 1, **changes: Any) -> Order:
    """An order with defaults."""
    values: dict[str, Any] = {
        "workflow_instance_id": 7,
        "workflow": "nightly",
        "task": f"load{number}",
        "attempt": 1,
        "dispatch": 1,
        "ticket": "t",
        "type": "noop",
        "parameters": {"day": "2026-11-22", "text": "ü\n"},
    }
    return Order(**{**values, **changes})


def consume(app: Celery, queue: str, number: int) -> list[Any]:
    """Take `number` messages from a queue as a Celery worker would, and acknowledge them."""
    messages: list[Any] = []
    with app.connection_for_read() as connection, connection.channel() as channel:
        consumer = Consumer(
            channel, [Queue(queue, routing_key=queue)], accept=["json"], on_message=messages.append
        )
        with consumer:
            while len(messages) < number:
                connection.drain_events(timeout=5.0)
            for message in messages:
                message.ack()
    return messages


def test_a_published_order_is_a_celery_message(
    app: Celery, publisher: Publisher, redis_client: redis.Redis, redis_keys: Keys
) -> None:
    """Id, task, readable name and the whole order arrive; after the acknowledgement nothing is left."""
    publisher.publish([order()], "g1")

    (message,) = consume(app, "default", 1)

    assert message.headers["id"] == message.properties["correlation_id"] == "7:load1:1:1"
    assert message.headers["task"] == "orchestrator.execute"
    assert message.headers["shadow"] == "nightly/load1"
    assert message.headers["ignore_result"] is True
    arguments, keywords, _ = message.payload
    assert arguments == []
    assert order_from_message(keywords) == (order(), "g1")
    left = {key.decode().removeprefix(redis_keys.prefix) for key in redis_client.scan_iter()}
    assert not left & {"default", "unacked", "unacked_index"}


def test_orders_go_to_their_queues_in_order(app: Celery, publisher: Publisher) -> None:
    """The master decided on the priority; the broker keeps its order. Batches are no limit."""
    publisher.publish([order(number, queue=f"group{number % 2}") for number in range(1_200)], "g1")

    even, odd = consume(app, "group0", 600), consume(app, "group1", 600)

    assert [message.headers["id"] for message in even] == [
        f"7:load{number}:1:1" for number in range(0, 1_200, 2)
    ]
    assert [message.headers["id"] for message in odd] == [
        f"7:load{number}:1:1" for number in range(1, 1_200, 2)
    ]


def test_publishing_nothing_needs_no_broker() -> None:
    """An empty batch is no reason to connect."""
    Publisher(Celery("test", broker="redis://127.0.0.1:1/0", set_as_current=False)).publish([], "g1")


def test_a_broker_that_is_not_redis_is_published_to_as_well(redis_keys: Keys) -> None:
    """One message after the other, into a queue that no worker has declared yet."""
    app = Celery("test", broker="memory://", set_as_current=False)
    publisher = Publisher(app)

    publisher.publish([order(1, queue=redis_keys.prefix), order(2, queue=redis_keys.prefix)], "g1")

    messages = consume(app, redis_keys.prefix, 2)
    assert [message.headers["id"] for message in messages] == ["7:load1:1:1", "7:load2:1:1"]
    publisher.close()
    app.close()


def test_a_celery_worker_runs_what_was_published(app: Celery, publisher: Publisher) -> None:
    """A real worker takes the message from its own queue and calls the task with the order."""
    done = threading.Event()
    ran: list[Any] = []

    def execute(task: Any, /, **message: Any) -> None:
        ran.append((task.request.id, task.request.shadow, order_from_message(message)))
        done.set()

    app.task(bind=True, name="orchestrator.execute", ignore_result=True)(execute)
    with start_worker(app, pool="solo", perform_ping_check=False, queues=["own.dq2"]):
        publisher.publish([order(queue="own.dq2")], "g1")
        assert done.wait(10.0)

    assert ran == [("7:load1:1:1", "nightly/load1", (order(queue="own.dq2"), "g1"))]


def test_a_broker_that_is_away_is_broker_unavailable_and_comes_back(
    app: Celery, publisher: Publisher, redis_server: PrivateRedis
) -> None:
    """With a connection that was open, with a new one, and after the restart by itself.

    What was published before waits elsewhere: a killed server may lose what it has not yet written to its file.
    """
    publisher.publish([order(1, queue="before")], "g1")
    redis_server.kill()

    for _ in range(2):
        with pytest.raises(BrokerUnavailable):
            publisher.publish([order(2)], "g1")
    redis_server.start()
    publisher.publish([order(3)], "g1")

    assert [message.headers["id"] for message in consume(app, "default", 1)] == ["7:load3:1:1"]


@pytest.mark.parametrize("value", [object(), {"deep": [{1, object()}]}], ids=["flat", "deep"])
def test_an_order_that_no_message_can_hold_is_the_orders_fault(publisher: Publisher, value: Any) -> None:
    """The broker is not blamed for it, and the connection still works."""
    with pytest.raises(UnresolvedParameter, match="cannot be sent"):
        publisher.publish([order(1), order(2, params={"x": value})], "g1")

    publisher.publish([order(3)], "g1")


def test_what_stood_before_an_order_that_cannot_be_sent_is_not_sent_later(
    app: Celery, publisher: Publisher
) -> None:
    """The batch stays open from call to call: an order that fails takes what was not sent out of it."""
    # Teeth: fails when `publish` does not abandon its batch.
    with pytest.raises(UnresolvedParameter):
        publisher.publish([order(1), order(2, parameters={"what": object()})], "g1")

    publisher.publish([order(3)], "g1")
    publisher.publish([order(4)], "g1")

    messages = consume(app, "default", 2)
    assert [message.headers["id"] for message in messages] == ["7:load3:1:1", "7:load4:1:1"]
