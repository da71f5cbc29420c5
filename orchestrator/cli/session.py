"""Owns the services for one command, and its exit codes."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator.cli.output import print_message
from orchestrator.cli.settings import open_settings
from orchestrator.config import Settings
from orchestrator.service.attendance import why_nothing_happens
from orchestrator.service.backend import Backend

WAIT_OVER = 4
NOT_SUCCESSFUL = 1


@contextmanager
def open_backend(settings: Settings | None = None) -> Iterator[Backend]:
    """Open the services for one command, and close them behind it."""
    backend = Backend(settings or open_settings())
    try:
        yield backend
    finally:
        backend.close()


def say_why_nothing_happens(backend: Backend) -> None:
    """Tell the user if nobody will carry out what was asked for, and what to start."""
    reason = why_nothing_happens(backend)
    if reason is not None:
        print_message(f"note: {reason}")


def pause(seconds: float) -> None:
    """Wait; Ctrl-C ends it."""
    threading.Event().wait(seconds)
