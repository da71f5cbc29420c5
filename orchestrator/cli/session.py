"""Owns the services for one command, and its exit codes."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator.cli.output import print_message
from orchestrator.cli.settings import open_settings
from orchestrator.config import Settings, load_settings
from orchestrator.embedded.arrival import Arrival, is_supervised
from orchestrator.embedded.home import Home
from orchestrator.service.attendance import NO_MASTER, why_nothing_happens
from orchestrator.service.backend import Backend

WAIT_OVER = 4
NOT_SUCCESSFUL = 1


@contextmanager
def open_backend(settings: Settings | None = None) -> Iterator[Backend]:
    """Open the services for one command, and close them behind it.

    A set-up of the home that is only just starting is waited for: its addresses, then its tables.
    """
    arrival = Arrival(Home(path=(settings or load_settings()).home), time.monotonic, pause)
    backend = Backend(settings or arrival.settings(open_settings()), arrival.wait_a_little)
    try:
        yield backend
    finally:
        backend.close()


def say_why_nothing_happens(backend: Backend) -> None:
    """Tell the user if nobody will carry out what was asked for, and what to start."""
    reason = why_nothing_happens(backend)
    if reason == NO_MASTER and is_supervised(Home(path=backend.settings.home)):
        reason = f"no master has begun yet; the set-up of {backend.settings.home} is just starting one"
    if reason is not None:
        print_message(f"note: {reason}")


def pause(seconds: float) -> None:
    """Wait; Ctrl-C ends it."""
    threading.Event().wait(seconds)
