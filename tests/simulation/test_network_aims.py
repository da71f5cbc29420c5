"""Tests of what a fault aims at, told by a round trip's commands and replies."""

from typing import Any

import pytest
from redis.exceptions import ResponseError

from tests.simulation.network_aims import AIMS, Aim, results_of

READ = ("XREADGROUP", b"GROUP", "masters", "master-1", b"STREAMS", "events:1", ">")
RESULT = b'{"type":"RESULT"}'
ONE = [[b"events:1", [[b"1-0", [b"w", b"w1", b"s", b"1", b"p", RESULT]]]]]
NONE: list[Any] = [[b"events:1", []]]


@pytest.mark.parametrize(
    ("reply", "hits"), [(ONE, True), (NONE, False), (None, False), (ResponseError("NOGROUP"), False)]
)
def test_a_lost_reply_of_a_read_brought_something(reply: Any, hits: bool) -> None:  # noqa: FBT001  a parameter
    """An empty reply that gets lost would show nothing: the aim waits for the next one."""
    aim = Aim(matches=AIMS["poll"], after=True, hit=lambda: None)

    assert aim.hits(True, [READ], [reply]) is hits  # noqa: FBT003  as in `Matches`


def test_a_lost_command_may_ask_in_vain() -> None:
    """Nobody knows what would have come."""
    aim = Aim(matches=AIMS["poll"], after=False, hit=lambda: None)

    assert aim.hits(True, [READ], None)  # noqa: FBT003  as in `Matches`


def test_ends_of_attempts_are_found_in_what_was_read() -> None:
    """Other entries, deleted ones and failed reads bring none."""
    online = [[b"events:1", [[b"1-0", [b"w", b"w1", b"p", b'{"type":"ONLINE"}']], [b"2-0", None]]]]

    assert results_of(ONE) == [RESULT]
    assert results_of(online) == results_of(NONE) == results_of(ResponseError("NOGROUP")) == []
