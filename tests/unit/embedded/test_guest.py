"""A guest's good-bye: when it may go, and what it does when the supervisor died meanwhile."""

import inspect
import os
import socket
import threading
from collections.abc import Generator
from pathlib import Path
from typing import cast

import pytest

from orchestrator.embedded.door import Line, open_door
from orchestrator.embedded.guest import Guest
from orchestrator.embedded.guests import Guests
from orchestrator.embedded.home import Home
from orchestrator.embedded.launch import Launch

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
        listener, _ = open_door(self._home)
        self._thread = threading.Thread(target=self._serve, args=(listener,))
        self._thread.start()

    def join(self) -> None:
        """Wait until the guest has left."""
        assert self._thread is not None
        self._thread.join(PATIENCE_S)

    def _serve(self, listener: socket.socket) -> None:
        with listener:
            line = Line(listener.accept()[0])
        while not line.closed and not any(document.get("bye") for document in line.receive(PATIENCE_S)):
            continue
        line.send({"over": True})
        line.close()


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


class Warm:
    """Stands for a supervisor that loads its libraries."""

    has_ended = False

    def __init__(self) -> None:
        self.is_dropped = False

    def drop(self) -> None:
        """End."""
        self.is_dropped = True


def test_supervisor_that_is_not_needed_is_ended_at_once(tmp_path: Path) -> None:
    """Two runs begin together: one of their supervisors opens the door to both, the other must not stay."""
    home = Home(path=tmp_path)
    home.prepare()
    listener, _ = open_door(home)
    warm = Warm()
    guest = Guest(home, {}, cast("Launch", warm))

    guest.step(0.0)

    assert warm.is_dropped
    listener.close()
    guest.step(1.0)


def test_guest_goes_when_the_supervisor_is_over_and_not_before(tmp_path: Path) -> None:
    """Between its last word and the end of its process the supervisor is still there to be seen."""
    home = Home(path=tmp_path)
    home.prepare()
    listener, token = open_door(home)
    guests = Guests(listener, token, lambda _wish: None)
    supervisor = _be_over_then_end(guests)

    def clock() -> float:
        next(supervisor, None)
        return 0.0

    guest = Guest(home, {}, clock=clock)
    guest.step(0.0)

    guest.leave(PATIENCE_S)

    assert inspect.getgeneratorstate(supervisor) == inspect.GEN_CLOSED


def test_supervisor_that_fails_is_not_replaced_by_who_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A set-up that says why it does not work ends by itself; the next one would say the same."""
    home = Home(path=tmp_path)
    home.prepare()
    listener, token = open_door(home)
    guests = Guests(listener, token, lambda _wish: None)
    monkeypatch.setattr("orchestrator.embedded.guest.Launch", lambda _home: pytest.fail("another one"))
    guest = Guest(home, {})
    guest.step(0.0)
    line = guests.accept()
    assert line is not None

    guests.tell({"database_url": "", "error": "no Redis"})
    guests.close()
    line.close()
    guest.leave(PATIENCE_S)


def _hear_good_bye_and_die(guests: Guests, line: Line) -> None:
    while guests.hear(line):
        continue
    guests.close()
    line.close()


def _be_over_then_end(guests: Guests) -> Generator[str, None, None]:
    """One step of a supervisor whenever its guest looks at the clock."""
    line = guests.accept()
    assert line is not None
    descriptor = line.fileno()
    while guests.hear(line):
        yield "there"
    guests.close()
    guests.take_leave()
    yield "over"
    os.close(descriptor)
