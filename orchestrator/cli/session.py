"""Owns what every command begins with: the settings of the running set-up, and the services behind them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator.config import Settings, load_settings
from orchestrator.embedded.home import with_running
from orchestrator.logging import configure
from orchestrator.service.backend import Backend

WAIT_OVER = 4
NOT_SUCCESSFUL = 1


def open_settings() -> Settings:
    """Return the checked settings, with the addresses of the home's running set-up.

    Raises:
        SettingsError: One or more settings are wrong.
    """
    settings = with_running(load_settings())
    configure(settings.log_level, settings.log_format)
    return settings


@contextmanager
def open_backend(settings: Settings | None = None) -> Iterator[Backend]:
    """Open the services for one command, and close them behind it."""
    backend = Backend(settings or open_settings())
    try:
        yield backend
    finally:
        backend.close()


def pause(seconds: float) -> None:
    """Wait; Ctrl-C ends it."""
    threading.Event().wait(seconds)
