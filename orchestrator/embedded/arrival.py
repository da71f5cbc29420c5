"""Owns the wait for a set-up that is only just starting: its addresses and its tables come within seconds."""

import fcntl
from collections.abc import Callable

from orchestrator.config import Settings
from orchestrator.embedded.home import Home, with_running

PATIENCE_S = 15.0
LOOK_S = 0.05


class Arrival:
    """Somebody's wait for the set-up of a home, if there is one; without one nobody waits.

    Args:
        home: The home.
        clock: Monotonic seconds.
        pause: Waits for so many seconds.
    """

    def __init__(self, home: Home, clock: Callable[[], float], pause: Callable[[float], object]) -> None:
        self._home = home
        self._clock = clock
        self._pause = pause
        self._deadline = clock() + PATIENCE_S

    def wait_a_little(self) -> bool:
        """Wait for a moment; return whether it is worth looking again, because a set-up is still under way."""
        if self._clock() > self._deadline or not is_supervised(self._home):
            return False
        self._pause(LOOK_S)
        return True

    def settings(self, settings: Settings) -> Settings:
        """Return the settings with the addresses of the set-up, once it has made them known.

        Raises:
            SettingsError: The home cannot be read.
        """
        if settings.redis_url and settings.database_url:
            return settings
        while self._home.database_url() is None and self.wait_a_little():
            continue
        return with_running(settings)


def is_supervised(home: Home) -> bool:
    """Return whether somebody holds the lock of the home; it is let go at once if nobody does."""
    try:
        with home.lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
