"""The home: who may read what, and who holds the lock."""

import stat
from pathlib import Path

import pytest

from orchestrator.config import load_settings
from orchestrator.embedded.home import Home, HomeLock, read_document, with_running
from orchestrator.errors import SettingsError


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


@pytest.mark.parametrize("place", ["file", "file/below/it"])
def test_home_that_cannot_be_one_is_a_fault_of_its_setting(tmp_path: Path, place: str) -> None:
    """A file, or a place below one: the variable, the place and the remedy."""
    (tmp_path / "file").write_text("")
    settings = load_settings({"ORCHESTRATOR_HOME": str(tmp_path / place)})
    home = Home(path=settings.home)

    for use in (lambda: with_running(settings), home.prepare, HomeLock(home).acquire):
        with pytest.raises(
            SettingsError, match=rf"^ORCHESTRATOR_HOME: '{settings.home}' .*; name a directory"
        ):
            use()


def test_named_services_need_no_home(tmp_path: Path) -> None:
    """Who names database and Redis is not refused for a home that nobody reads."""
    (tmp_path / "file").write_text("")
    named = {
        "ORCHESTRATOR_HOME": str(tmp_path / "file"),
        "ORCHESTRATOR_REDIS_URL": "redis://named",
        "ORCHESTRATOR_DATABASE_URL": "sqlite:///named",
    }

    assert with_running(load_settings(named)).redis_url == "redis://named"
    assert read_document(tmp_path / "file" / "run" / "supervisor.json") is None
