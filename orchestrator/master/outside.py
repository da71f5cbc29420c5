"""Owns the loop's ports: what it writes to and draws from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from orchestrator.broker.stream import Entry
from orchestrator.core.changes import Changes, Leases


class Committer(Protocol):
    """The group commit."""

    def commit(self, changes: Changes, leases: Leases) -> datetime:
        """Write everything in one fenced transaction and return the database's time."""
        ...


class Acknowledger(Protocol):
    """The streams, for verdicts."""

    def acknowledge(self, verdicts: Sequence[tuple[Entry, str]]) -> None:
        """Acknowledge and delete the entries, then tell their workers."""
        ...


class Graveyard(Protocol):
    """The dead-letter stream."""

    def bury(self, entry: Entry, reason: str) -> object:
        """Copy an entry to the dead-letter stream."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What the loop writes to and draws from.

    Attributes:
        new_ticket: Random secrets.
        chance: Random numbers in [0, 1).
        live_workers: Worker group to the names of its live workers.
        read_again: Has every entry delivered once more that was read and has no verdict.
        row_limit: Most rows that one step of a run may write.
    """

    committer: Committer
    acknowledger: Acknowledger
    graveyard: Graveyard
    new_ticket: Callable[[], str]
    chance: Callable[[], float]
    live_workers: Callable[[str], frozenset[str]]
    read_again: Callable[[], None]
    row_limit: int
