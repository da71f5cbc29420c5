"""Owns the kinds of round trips that a fault can aim at, told by their commands."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.simulation.celery_broker import QUEUES

Command = tuple[Any, ...]
Matches = Callable[[bool, Command], bool]
"""Whether a command is of a kind, given whether a master sends it."""

CLAIM_KEYS = 3
"""A claim with so many keys also adds RUNNING to a stream."""

ONLINE = b'"type":"ONLINE"'
"""Stands in the events by which workers say that they began."""

RESULT = b'"type":"RESULT"'
"""Stands in the events by which workers say how an attempt ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """A round trip that gets lost.

    Attributes:
        matches: Of which kind it is.
        after: It is carried out, and its reply is lost; else it never arrives.
        hit: Called when it happens.
    """

    matches: Matches
    after: bool
    hit: Callable[[], None]


def as_bytes(value: Any) -> bytes:
    """Return an argument as it goes over the wire."""
    return value if isinstance(value, bytes) else str(value).encode()


def is_running(command: Command) -> bool:
    """Return whether this is a claim that adds RUNNING."""
    keys = _keys(command)
    return len(keys) == CLAIM_KEYS and b"events:" in keys[-1]


def is_publication(command: Command) -> bool:
    """Return whether this puts a message into a queue."""
    return command[0] == "RPUSH" and as_bytes(command[1]).startswith(QUEUES)


def _is_claim(is_master: bool, command: Command) -> bool:  # noqa: FBT001  a `Matches`
    return not is_master and any(key.endswith(b"generation") for key in _keys(command))


def _is_recall(is_master: bool, command: Command) -> bool:  # noqa: FBT001  a `Matches`
    return is_master and any(key.endswith(b"generation") for key in _keys(command))


def _is_report(is_master: bool, command: Command) -> bool:  # noqa: FBT001  a `Matches`
    return not is_master and command[0] == "XADD" and "p" in command[3::2] and not _is_online(command)


def _is_online(command: Command) -> bool:
    return any(ONLINE in as_bytes(value) for value in command[4::2])


def _keys(command: Command) -> Sequence[bytes]:
    return [as_bytes(key) for key in command[3 : 3 + command[2]]] if command[0] == "EVALSHA" else []


AIMS: Mapping[str, Matches] = {
    "claim": _is_claim,
    "publication": lambda _, command: is_publication(command),
    "acknowledgement": lambda _, command: command[0] == "XACK",
    "recall": _is_recall,
    "report": _is_report,
    "poll": lambda _, command: command[0] in {"XREADGROUP", "LPOP"},
}
"""Every kind by its name."""
