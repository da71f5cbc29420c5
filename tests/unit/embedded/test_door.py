"""The supervisor's door: who comes in, what is heard, how a leaving guest is noticed."""

import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator.embedded.door import Line, is_open, knock, open_door
from orchestrator.embedded.guests import Guests
from orchestrator.embedded.home import Home

OVER = [{"over": True}]


class Entrance:
    """A door with its guests, and what they wished for."""

    def __init__(self, home: Home) -> None:
        home.prepare()
        self.home = home
        self.wishes: list[Mapping[str, Any]] = []
        self.listener, token = open_door(home)
        self.guests = Guests(self.listener, token, self.wishes.append)

    def enter(self, wish: Mapping[str, Any]) -> tuple[Line, Line]:
        """Let a guest in; return its side of the line, and ours."""
        outside = knock(self.home, wish)
        assert outside is not None
        inside = self.guests.accept()
        assert inside is not None
        return outside, inside


@pytest.fixture(params=["short", "long" * 30])
def entrance(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Entrance]:
    """Give an open door: a Unix socket, and, where the path is too long for one, a loopback port."""
    entrance = Entrance(Home(path=tmp_path / str(request.param)))
    yield entrance
    entrance.guests.close()
    for line in entrance.guests.lines:
        line.close()


def test_guest_says_what_it_needs(entrance: Entrance) -> None:
    """The wish arrives without the token; the status goes the other way."""
    outside, _ = entrance.enter({"groups": ["default"]})

    entrance.guests.tell({"ready": True})

    assert entrance.wishes == [{"groups": ["default"]}]
    assert outside.receive(1.0) == [{"ready": True}]
    outside.close()


def test_stranger_without_the_token_is_put_out(entrance: Entrance) -> None:
    """A process of another user may reach a loopback port: it is not let in."""
    stranger = socket.socket(entrance.listener.family)
    stranger.connect(entrance.listener.getsockname())
    line = Line(stranger)
    line.send({"token": "guessed", "groups": ["default"]})

    assert entrance.guests.accept() is None
    assert entrance.wishes == []
    line.receive(1.0)
    assert line.closed
    line.close()


def test_guest_that_died_is_no_guest_any_more(entrance: Entrance) -> None:
    """`kill -9` of a guest closes its line: that is its end."""
    outside, inside = entrance.enter({})

    outside.close()

    assert not entrance.guests.hear(inside)
    assert len(entrance.guests) == 0
    inside.close()


def test_last_guest_is_told_of_the_end_and_others_leave_at_once(entrance: Entrance) -> None:
    """Who says good-bye while others stay is let go; the last one hears nothing until all has ended.

    Its line ends only with the supervisor's process, so that nothing is left when it goes.
    """
    first, first_inside = entrance.enter({})
    last, last_inside = entrance.enter({})

    first.send({"bye": True})
    assert not entrance.guests.hear(first_inside)
    last.send({"bye": True})
    assert not entrance.guests.hear(last_inside)

    assert first.receive(1.0) == OVER
    assert last.receive(0.0) == []
    assert not last.closed
    left_open = last_inside.fileno()
    entrance.guests.take_leave()
    assert last.receive(1.0) == OVER
    assert last.receive(0.0) == []
    assert not last.closed
    os.close(left_open)  # as the system does in the end
    assert last.receive(1.0) == []
    assert last.closed
    for line in (first, last):
        line.close()


def test_guest_that_says_good_bye_in_one_breath_with_its_hello_is_heard(entrance: Entrance) -> None:
    """A supervisor that was busy finds both at once: the guest is let go."""
    staying, staying_inside = entrance.enter({})
    hasty = knock(entrance.home, {"groups": ["default"]})
    assert hasty is not None
    hasty.send({"bye": True})

    assert entrance.guests.accept() is None
    assert hasty.receive(1.0) == OVER
    assert entrance.guests.lines == (staying_inside,)
    assert entrance.wishes == [{}, {"groups": ["default"]}]
    for line in (staying, staying_inside, hasty):
        line.close()


def test_newcomer_relieves_the_guest_that_waits_for_the_end(entrance: Entrance) -> None:
    """Between the last good-bye and the end somebody comes: the end is not for the one who has left."""
    leaving, inside = entrance.enter({})
    leaving.send({"bye": True})
    entrance.guests.hear(inside)

    newcomer, newcomer_inside = entrance.enter({})

    assert leaving.receive(1.0) == OVER
    for line in (leaving, newcomer, newcomer_inside):
        line.close()


def test_nobody_opens_where_nothing_runs(tmp_path: Path) -> None:
    """Neither an empty home nor one whose supervisor was killed has an open door."""
    home = Home(path=tmp_path)
    home.prepare()
    assert knock(home, {}) is None

    listener, _ = open_door(home)
    listener.close()

    assert knock(home, {}) is None
    assert not is_open(home)
