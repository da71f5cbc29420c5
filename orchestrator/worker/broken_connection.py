"""Owns the end of a lost broker connection: whatever its clean-up says, the worker connects anew and lives on."""

from typing import Any

import structlog
from celery import bootsteps

log = structlog.get_logger(__name__)


class BrokenConnection(bootsteps.StartStopStep):
    """Lets Celery's consumer close a lost connection without dying of it.

    Celery closes what is left of a lost connection, and gives messages back as it does. It expects connection
    errors there; Kombu 5.7 also raises an AttributeError when several channels were waiting for messages and one
    still has some that are not acknowledged. That ended the whole worker because its Redis was restarted. What
    could not be given back is published again by the masters.
    """

    requires = ("celery.worker.consumer.connection:Connection",)

    def start(self, consumer: Any) -> None:
        """Run each time the consumer has connected."""
        connection = consumer.connection
        close = connection.close

        def close_quietly() -> None:
            try:
                close()
            except connection.connection_errors + connection.channel_errors:
                raise  # Celery knows them
            except Exception:
                log.warning("broker.close_failed", exc_info=True)

        connection.close = close_quietly
