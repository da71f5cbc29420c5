"""A worker outlives the loss of its broker, also where Kombu stumbles over what is left of a connection."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kombu import Connection, Consumer, Queue

from orchestrator.broker.connection import celery_broker_url
from orchestrator.embedded.redis import PrivateRedis
from orchestrator.worker.broken_connection import BrokenConnection

pytestmark = pytest.mark.integration

PATIENCE_S = 5.0


@pytest.fixture
def broken(tmp_path: Path) -> Iterator[Connection]:
    """A connection whose server died while two channels waited for messages and held unacknowledged ones."""
    server = PrivateRedis(tmp_path / "redis")
    connection = Connection(celery_broker_url(server.start()))
    received: list[Any] = []
    channels: dict[str, Any] = {"first": connection.default_channel, "second": connection.channel()}
    for name, channel in channels.items():
        queue = Queue(name)
        queue(channel).declare()
        connection.Producer(channel=channel).publish({}, routing_key=name)
        Consumer(channel, [queue], callbacks=[lambda _, message: received.append(message)]).consume()
    while len(received) < len(channels):
        connection.drain_events(timeout=PATIENCE_S)
    with suppress(TimeoutError):
        connection.drain_events(timeout=0.1)  # both channels ask for the next message
    server.kill()
    yield connection
    for channel in channels.values():
        channel.qos.restore_at_shutdown = False  # else each tries once more when the program ends


def test_kombu_stumbles_over_a_lost_connection(broken: Connection) -> None:
    """When this fails, Kombu was mended and the step may go."""
    broken.collect(socket_timeout=1)

    with pytest.raises(AttributeError):
        broken.close()


def test_worker_closes_a_lost_connection_whatever_is_left_of_it(broken: Connection) -> None:
    """What Celery's consumer calls between the loss and the next attempt to connect raises nothing."""
    consumer = SimpleNamespace(connection=broken)
    BrokenConnection(consumer).start(consumer)
    broken.collect(socket_timeout=1)

    broken.close()
