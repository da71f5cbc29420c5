"""Owns the way of a command to what is stored, and its patience with a set-up that is only just starting."""

import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from orchestrator.cli.settings import open_settings
from orchestrator.config import Settings, load_settings
from orchestrator.embedded.arrival import Arrival
from orchestrator.embedded.home import Home
from orchestrator.service.records import Records

R = TypeVar("R", bound=Records)


def open_records() -> AbstractContextManager[Records]:
    """Open what is stored for one command that only looks, and close it behind it."""
    return opened(Records)


@contextmanager
def opened(kind: type[R], settings: Settings | None = None) -> Iterator[R]:
    """Open the services for one command, and close them behind it.

    A set-up of the home that is only just starting is waited for: its addresses, then its tables.

    Args:
        kind: What the command needs.
        settings: The checked ones; `None`: those of the environment.
    """
    arrival = Arrival(Home(path=(settings or load_settings()).home), time.monotonic, pause)
    services = kind(settings or arrival.settings(open_settings()), arrival.wait_a_little)
    try:
        yield services
    finally:
        services.close()


def pause(seconds: float) -> None:
    """Wait; Ctrl-C ends it."""
    threading.Event().wait(seconds)
