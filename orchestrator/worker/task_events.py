"""Owns when Celery's events about our orders leave the worker: some times a second together, not one by one.

Flower reads them, and nobody waits for them. Celery publishes them whenever its loop turns, and waits for the
broker's answer each time: a third of what an order costs the worker's main process. Events of an application's own
tasks go out as Celery has it.
"""

from collections.abc import Callable
from typing import Any

from celery import bootsteps
from celery.worker.strategy import default

EVERY_S = 0.05


def order_strategy(task: Any, app: Any, consumer: Any, **options: Any) -> Callable[..., None]:
    """Return what handles a message of `orchestrator.execute`: Celery's own way, with events that may wait.

    Args:
        task: The task.
        app: Its application.
        consumer: Celery's consumer; without an event loop (threads, eventlet) its events go out at once.
        options: Handed on.
    """
    patient = consumer.hub is not None and consumer.event_dispatcher
    handler: Callable[..., None] = default(task, app, _Patient(consumer) if patient else consumer, **options)
    return handler


class PatientEvents:
    """Celery's dispatcher of events, for events that are published with others.

    Args:
        dispatcher: Celery's.
        call_later: Calls something after so many seconds, in the event loop's thread.
    """

    def __init__(self, dispatcher: Any, call_later: Callable[[float, Callable[[], None]], object]) -> None:
        self._dispatcher = dispatcher
        self._call_later = call_later
        self._waits = False

    def __getattr__(self, name: str) -> Any:
        """Be the dispatcher in everything else."""
        return getattr(self._dispatcher, name)

    def send(self, type: str, **fields: Any) -> None:  # noqa: A002  Celery's name
        """Note an event as it is now; it is published a moment later, or when many are there."""
        dispatcher = self._dispatcher
        hurry, dispatcher.on_send_buffered = dispatcher.on_send_buffered, self._publish_later
        try:
            dispatcher.send(type, **fields)
        finally:
            dispatcher.on_send_buffered = hurry

    def _publish_later(self) -> None:
        if not self._waits:
            self._waits = True
            self._call_later(EVERY_S, self._publish)

    def _publish(self) -> None:
        self._waits = False
        self._dispatcher.flush()


class LastEvents(bootsteps.StartStopStep):  # type: ignore[misc, unused-ignore]  # Celery has no types here
    """Publishes what waits when the worker ends, before Celery lets go of its dispatcher."""

    requires = ("celery.worker.consumer.events:Events",)

    def shutdown(self, consumer: Any) -> None:
        """Run once, at the end."""
        if consumer.event_dispatcher:
            consumer.event_dispatcher.flush()


class _Patient:
    """Celery's consumer, with patient events."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self.event_dispatcher = PatientEvents(consumer.event_dispatcher, consumer.hub.call_later)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._consumer, name)
