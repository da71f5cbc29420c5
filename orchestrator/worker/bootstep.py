"""Owns the worker's place in Celery's start and stop: before the pool forks, before messages come, at the end."""

from collections.abc import Callable
from typing import Any, Protocol

from celery import bootsteps, signals

from orchestrator.errors import Conflict, UserError
from orchestrator.worker.entry import refuse


class MainService(Protocol):
    """What runs in a worker's main process."""

    def prepare(self) -> None:
        """End what a predecessor of the same name left running."""

    def start(self) -> None:
        """Start the threads; the pool's children exist."""

    def drain(self) -> None:
        """Give back what comes in from now on."""

    def stop(self) -> None:
        """Stop the threads and say good-bye."""


class WorkerService(bootsteps.StartStopStep):
    """Starts the service that `factory` makes for a worker, behind the pool; stops it when the pool has ended."""

    requires = ("celery.worker.components:Pool",)
    factory: Callable[[Any], MainService]

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        try:
            self._service: MainService = type(self).factory(parent)
        except Conflict as error:  # it passes: whoever watches this process may start it again
            raise SystemExit(f"error: {error}") from None
        except UserError as error:
            refuse(error)
        signals.worker_shutdown.connect(self._on_worker_shutdown, sender=parent, weak=False)

    def create(self, parent: Any) -> None:  # noqa: ARG002 - Celery's signature
        """Run before anything of the worker starts."""
        self._service.prepare()

    def start(self, parent: Any) -> None:  # noqa: ARG002 - Celery's signature
        """Run after the pool started and before the first message is taken."""
        self._service.start()

    def close(self, parent: Any) -> None:  # noqa: ARG002 - Celery's signature
        """Run when a shutdown begins, while the pool still works."""
        self._service.drain()

    def stop(self, parent: Any) -> None:
        """Leave the threads running: Celery stops the pool after this, and its attempts still need them."""

    def terminate(self, parent: Any) -> None:
        """Leave the threads running, as `stop` does; `end` comes behind the pool."""

    def _on_worker_shutdown(self, **_: Any) -> None:
        """Run when the pool has ended."""
        self._service.stop()
