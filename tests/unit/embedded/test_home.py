"""The home: who may read what, and who holds the lock."""

import stat
from pathlib import Path

import pytest

from orchestrator.config import load_settings
from orchestrator.embedded.home import Home, HomeLock, with_running


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Give a prepared home."""
    home = Home(path=tmp_path / "home")
    home.prepare()
    return home


def test_addresses_are_for_their_owner_only(home: Home) -> None:
    """The URL of the private Redis holds its password."""
    home.write_redis_url("redis://:secret@127.0.0.1:1/0")

    assert stat.S_IMODE(home.redis_url_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.run.stat().st_mode) == 0o700
    assert home.redis_url() == "redis://:secret@127.0.0.1:1/0"


def test_addresses_go_with_the_set_up(home: Home) -> None:
    """After the end nobody is led to a server that has gone."""
    home.write_redis_url("redis://a")
    home.write_database_url("sqlite:///a")

    home.forget()

    assert (home.redis_url(), home.database_url()) == (None, None)


def test_lock_has_one_holder(home: Home) -> None:
    """The second supervisor does not get it, until the first gives it back."""
    first, second = HomeLock(home), HomeLock(home)

    assert first.acquire()
    assert first.acquire()
    assert not second.acquire()
    first.release()
    assert second.acquire()
    second.release()


def test_settings_win_over_the_running_set_up(home: Home) -> None:
    """What the user names is used; only the rest comes from the home."""
    home.write_redis_url("redis://private")
    home.write_database_url("sqlite:///private")
    named = {"ORCHESTRATOR_HOME": str(home.path), "ORCHESTRATOR_REDIS_URL": "redis://named"}

    settings = with_running(load_settings(named))

    assert settings.redis_url == "redis://named"
    assert settings.database == "sqlite:///private"
