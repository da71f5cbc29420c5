"""A guest's good-bye: when it may go, and what it does when the supervisor died meanwhile."""

import threading
from pathlib import Path

import pytest

from orchestrator.embedded.door import Line, open_door
from orchestrator.embedded.guest import Guest
from orchestrator.embedded.guests import Guests
from orchestrator.embedded.home import Home

PATIENCE_S = 30.0


class Launched:
    """Stands for the process of another supervisor: it answers the door as soon as it is told to begin."""

    has_ended = False

    def __init__(self, home: Home) -> None:
        self._home = home
        self.begun = 0
        self._thread: threading.Thread | None = None

    def go(self) -> None:
        """Open the door; let the guest leave when it asks to."""
        self.begun += 1
        listener, token = open_door(self._home)
        self._thread = threading.Thread(
            target=self._serve, args=(Guests(listener, token, lambda _wish: None),)
        )
        self._thread.start()

    def join(self) -> None:
        """Wait until the guest has left."""
        assert self._thread is not None
        self._thread.join(PATIENCE_S)

    def _serve(self, guests: Guests) -> None:
        line = guests.accept()
        while line is not None and guests.hear(line):
            continue
        guests.take_leave()
        guests.close()


def test_supervisor_that_dies_while_it_ends_everything_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the good-bye and the end, it leaves processes behind: another one has to end them."""
    home = Home(path=tmp_path)
    home.prepare()
    listener, token = open_door(home)
    guests = Guests(listener, token, lambda _wish: None)
    another = Launched(home)
    monkeypatch.setattr("orchestrator.embedded.guest.Launch", lambda _home: another)
    guest = Guest(home, {})
    guest.step(0.0)
    line = guests.accept()
    assert line is not None

    dying = threading.Thread(target=_hear_good_bye_and_die, args=(guests, line))
    dying.start()
    guest.leave(PATIENCE_S)

    dying.join(PATIENCE_S)
    another.join()
    assert another.begun == 1


def _hear_good_bye_and_die(guests: Guests, line: Line) -> None:
    while guests.hear(line):
        continue
    guests.close()
    line.close()
