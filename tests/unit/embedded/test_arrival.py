"""The wait for a set-up that is only just starting."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.config import load_settings
from orchestrator.embedded.arrival import PATIENCE_S, Arrival, is_supervised
from orchestrator.embedded.home import Home, HomeLock


class Time:
    """Time that passes only while somebody waits, and what happens meanwhile."""

    def __init__(self) -> None:
        self.now = 0.0
        self.meanwhile: Callable[[], object] = lambda: None

    def clock(self) -> float:
        """Return the seconds."""
        return self.now

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        self.meanwhile()


@pytest.fixture
def time() -> Time:
    """Give a time at its beginning."""
    return Time()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Give a home that somebody has prepared."""
    home = Home(path=tmp_path)
    home.prepare()
    return home


@pytest.fixture
def lock(home: Home) -> Iterator[HomeLock]:
    """Give the lock of a supervisor that is at work."""
    lock = HomeLock(home)
    assert lock.acquire()
    yield lock
    lock.release()


def test_looking_at_the_lock_does_not_take_it(home: Home) -> None:
    """Nobody, somebody, nobody again; a home that is not there has no supervisor."""
    lock = HomeLock(home)

    assert not is_supervised(home)
    assert lock.acquire()
    assert is_supervised(home)
    lock.release()
    assert not is_supervised(home)
    assert lock.acquire()
    lock.release()
    assert not is_supervised(Home(path=home.path / "nowhere"))


def test_without_a_supervisor_nobody_waits(home: Home, time: Time) -> None:
    """The answer is the same as ever, at once."""
    settings = load_settings({"ORCHESTRATOR_HOME": str(home.path)})
    arrival = Arrival(home, time.clock, time.pause)

    assert arrival.settings(settings).redis_url is None
    assert not arrival.wait_a_little()
    assert time.now == 0


@pytest.mark.usefixtures("lock")
def test_addresses_of_a_starting_set_up_are_waited_for(home: Home, time: Time) -> None:
    """Redis first, then the database, as the set-up makes them known."""

    def start() -> None:
        home.write_redis_url("redis://private")
        home.write_database_url("postgresql://private")

    time.meanwhile = start
    arrival = Arrival(home, time.clock, time.pause)

    found = arrival.settings(load_settings({"ORCHESTRATOR_HOME": str(home.path)}))

    assert (found.redis_url, found.database_url) == ("redis://private", "postgresql://private")


@pytest.mark.usefixtures("lock")
def test_patience_has_an_end(home: Home, time: Time) -> None:
    """A set-up that never gets ready holds nobody up for ever."""
    arrival = Arrival(home, time.clock, time.pause)

    while arrival.wait_a_little():
        assert time.now < 2 * PATIENCE_S
    assert time.now >= PATIENCE_S
