"""Owns the services for one command that does something, or asks the broker."""

from contextlib import AbstractContextManager

from orchestrator.cli.output import print_message
from orchestrator.cli.records import opened
from orchestrator.config import Settings
from orchestrator.embedded.arrival import is_supervised
from orchestrator.embedded.home import Home
from orchestrator.service.attendance import NO_MASTER, why_nothing_happens
from orchestrator.service.backend import Backend


def open_backend(settings: Settings | None = None) -> AbstractContextManager[Backend]:
    """Open the services for one command, and close them behind it; a set-up that is just starting is waited for.

    Args:
        settings: The checked ones; `None`: those of the environment.
    """
    return opened(Backend, settings)


def say_why_nothing_happens(backend: Backend) -> None:
    """Tell the user if nobody will carry out what was asked for, and what to start."""
    reason = why_nothing_happens(backend)
    if reason == NO_MASTER and is_supervised(Home(path=backend.settings.home)):
        reason = f"no master has begun yet; the set-up of {backend.settings.home} is just starting one"
    if reason is not None:
        print_message(f"note: {reason}")
