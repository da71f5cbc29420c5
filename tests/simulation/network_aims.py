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

    def hits(self, is_master: bool, commands: Sequence[Command], replies: Sequence[Any] | None) -> bool:  # noqa: FBT001  as in `Matches`
        """Return whether a round trip is of this kind; a reply that is lost and says nothing is none."""
        told = replies or [None] * len(commands)
        return any(
            self.matches(is_master, command) and not (replies and is_empty(command, reply))
            for command, reply in zip(commands, told, strict=True)
        )


def as_bytes(value: Any) -> bytes:
    """Return an argument as it goes over the wire."""
    return value if isinstance(value, bytes) else str(value).encode()


def is_empty(command: Command, reply: Any) -> bool:
    """Return whether this asks for entries or a message, and none came."""
    if command[0] == "XREADGROUP":
        return not any(entries for _, entries in _streams(reply))
    return command[0] == "LPOP" and reply is None


def _streams(reply: Any) -> list[Any]:
    """Return what a read of streams brought of each; nothing if it failed."""
    return reply if isinstance(reply, list) else []


def results_of(reply: Any) -> list[bytes]:
    """Return the payloads of the RESULTs that a read of streams brought."""
    fields = [one for _, entries in _streams(reply) for _, one in entries if one]
    return [one[-1] for one in fields if RESULT in one[-1]]


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
