"""Owns the looks at the database that cannot find anything new: they find nothing, at a fraction of the cost.

A master looks at its tables all the time, and nearly always finds nothing. What a look finds follows from the rows
that its statements give. So the statements of a look that found nothing are kept, and carried out again by the
driver alone, past SQLAlchemy and the store: as long as they give the same rows, the look finds nothing again.
"""

from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

from orchestrator.store.backfills import Backfills, Unfinished
from orchestrator.store.commands import Commands, Pending
from orchestrator.store.outbox import Outbox, OutboxEntry
from orchestrator.store.pools import Pools
from orchestrator.store.schedules import Look, Schedules
from orchestrator.store.turns import Stopped, Turns
from tests.simulation.database import Database, Statement

T = TypeVar("T")

NOW = "now"
"""Stands in rows for what the database's clock shows: whoever asks for the time gets another one each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """How a look found nothing.

    Attributes:
        statements: What it asked.
        rows: What each of them gave.
    """

    statements: tuple[Statement, ...]
    rows: list[list[tuple[Any, ...]]]


class IdleLooks:
    """Remembers which looks found nothing, and what their statements gave.

    What a fault would strike is never spared: a database that is away is asked, and does not answer.

    Args:
        database: Where is looked.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._in_vain: dict[Hashable, Nothing] = {}

    def find(self, asked: Hashable, ask: Callable[[], T], nothing: Callable[[], T]) -> T:
        """Return what a look finds.

        Args:
            asked: What is looked for, with all arguments.
            ask: Really looks; what it finds follows from these and from the rows it reads, and it writes none.
            nothing: Returns what `ask` returns if there is nothing.

        Raises:
            AssertionError: The database was told to prove each look that is spared, and one is not idle.
        """
        before = self._in_vain.get(asked)
        if (
            before is not None
            and not self.database.is_away()
            and self._rows(before.statements) == before.rows
        ):
            if self.database.proving:
                self._prove(asked, ask, nothing())
            return nothing()
        with self.database.noting_statements() as noted:
            found = ask()
        if found == nothing():
            self._in_vain[asked] = Nothing(statements=tuple(noted), rows=self._rows(noted))
        return found

    def _rows(self, statements: Collection[Statement]) -> list[list[tuple[Any, ...]]]:
        shown = self.database.clock_text()
        return [
            [
                tuple(NOW if value == shown else value for value in row)
                for row in self.database.rows(text, *values)
            ]
            for text, values in statements
        ]

    def _prove(self, asked: Hashable, ask: Callable[[], T], expected: T) -> None:
        """Look all the same: it must find nothing, and write nothing."""
        self.database.proved += 1
        changes = self.database.changes()
        found = ask()
        assert found == expected, f"{asked}: a look would have found {found}"
        assert self.database.changes() == changes, f"{asked}: a look has written"


class LookedAtSchedules(Schedules):
    """The stored schedules; the time is told all the same.

    Args:
        looks: What was found before.
    """

    def __init__(self, looks: IdleLooks) -> None:
        super().__init__(looks.database.engine)
        self._looks = looks

    def look(self, slots: Collection[int]) -> Look:
        """Return which schedules of these slots are due."""
        return self._looks.find(
            ("schedules", *slots),
            lambda: super(LookedAtSchedules, self).look(slots),
            lambda: Look(now=self._looks.database.now(), due=(), next_at=None),
        )


class LookedAtBackfills(Backfills):
    """The stored backfills.

    Args:
        looks: What was found before.
    """

    def __init__(self, looks: IdleLooks) -> None:
        super().__init__(looks.database.engine)
        self._looks = looks

    def look(self, slots: Collection[int]) -> Unfinished:
        """Return the backfills of these slots that have runs left to start."""
        return self._looks.find(
            ("backfills", *slots),
            lambda: super(LookedAtBackfills, self).look(slots),
            lambda: Unfinished(due=(), waiting=0),
        )


class LookedAtPools(Pools):
    """The stored pools.

    Args:
        looks: What was found before.
    """

    def __init__(self, looks: IdleLooks) -> None:
        super().__init__(looks.database.engine)
        self._looks = looks

    def suspects(self) -> tuple[str, ...]:
        """Return the pools in which something seems to be wrong."""
        return self._looks.find("pools", super().suspects, tuple)


class LookedAtTurns(Turns):
    """The stored turns.

    Args:
        looks: What was found before.
    """

    def __init__(self, looks: IdleLooks) -> None:
        super().__init__(looks.database.engine)
        self._looks = looks

    def look(self, slots: Collection[int]) -> list[Stopped]:
        """Return the chains of these slots that do not go on by themselves."""
        return self._looks.find(
            ("turns", *slots),
            lambda: super(LookedAtTurns, self).look(slots),
            list,
        )


class LookedAtCommands(Commands):
    """The command table.

    Args:
        looks: What was found before.
    """

    def __init__(self, looks: IdleLooks) -> None:
        super().__init__(looks.database.engine)
        self._looks = looks

    def look(
        self, slots: Collection[int], limit: int, *, starts: bool = True, skip: Collection[int] = ()
    ) -> Pending:
        """Return the oldest rows of these slots."""
        return self._looks.find(
            ("commands", *slots, limit, starts, frozenset(skip)),
            lambda: super(LookedAtCommands, self).look(slots, limit, starts=starts, skip=skip),
            Pending,
        )


class LookedAtOutbox(Outbox):
    """The outbox.

    Args:
        looks: What was found before.
    """

    def __init__(self, looks: IdleLooks) -> None:
        super().__init__(looks.database.engine)
        self._looks = looks

    def due(self, slots: Collection[int], limit: int) -> list[OutboxEntry]:
        """Return the oldest alerts of these slots that nobody was told of."""
        return self._looks.find(
            ("alerts", *slots, limit),
            lambda: super(LookedAtOutbox, self).due(slots, limit),
            list,
        )

    def due_deliveries(
        self, slots: Collection[int], limit: int, without: Collection[str]
    ) -> list[OutboxEntry]:
        """Return the deliveries of these slots whose time has come."""
        return self._looks.find(
            ("deliveries", *slots, limit, frozenset(without)),
            lambda: super(LookedAtOutbox, self).due_deliveries(slots, limit, without),
            list,
        )
