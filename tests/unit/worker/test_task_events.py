"""Celery's events about orders wait for each other; those of other tasks do not."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery
from celery.events import EventDispatcher

from orchestrator.worker.task_events import EVERY_S, LastEvents, PatientEvents

Later = tuple[float, Callable[[], None]]


@pytest.fixture
def hurried() -> list[None]:
    """One for each time that Celery was asked to publish at once."""
    return []


@pytest.fixture
def dispatcher(hurried: list[None]) -> Iterator[EventDispatcher]:
    """Celery's own, as a worker's consumer makes it, on a broker in memory."""
    app = Celery("events", broker="memory://")
    with app.connection_for_write() as connection:
        yield app.events.Dispatcher(
            connection, buffer_group=["task"], on_send_buffered=lambda: hurried.append(None)
        )


def waiting(dispatcher: EventDispatcher) -> list[str]:
    """Return the types of the events that are not published yet."""
    buffers: Any = vars(dispatcher)["_group_buffer"]  # nothing else shows them
    return [event["type"] for event in buffers["task"]]


def test_events_of_orders_are_published_together(dispatcher: EventDispatcher, hurried: list[None]) -> None:
    """Two events, one publication, a moment later; each has the time at which it happened."""
    # Teeth: fails when `send` hands on to the dispatcher and nothing else.
    later: list[Later] = []
    events = PatientEvents(dispatcher, lambda seconds, call: later.append((seconds, call)))

    events.send("task-received", uuid="1:a:1:1")
    events.send("task-started", uuid="1:a:1:1")

    assert waiting(dispatcher) == ["task-received", "task-started"]
    assert not hurried
    ((seconds, publish),) = later
    assert seconds == EVERY_S
    publish()
    assert not waiting(dispatcher)

    events.send("task-succeeded", uuid="1:a:1:1")
    assert len(later) == 2


def test_events_of_other_tasks_hurry(dispatcher: EventDispatcher, hurried: list[None]) -> None:
    """An application's own tasks are watched as Celery has it, also between two orders."""
    events = PatientEvents(dispatcher, lambda *_: None)
    events.send("task-received", uuid="1:a:1:1")

    dispatcher.send("task-received", uuid="theirs")

    assert len(hurried) == 1


def test_a_worker_that_ends_publishes_what_waits(dispatcher: EventDispatcher) -> None:
    """Flower sees the end of the last order, too."""
    consumer: Any = SimpleNamespace(event_dispatcher=dispatcher)
    PatientEvents(dispatcher, lambda *_: None).send("task-succeeded", uuid="1:a:1:1")

    LastEvents(consumer).shutdown(consumer)

    assert not waiting(dispatcher)
