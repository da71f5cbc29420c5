"""Owns the database of a simulation: the real store on SQLite in memory, and transactions that fail on order."""

import json
import re
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, delete, event, exc, update

from orchestrator.store import migrate, schema
from orchestrator.store.session import WRITING, open_engine, writing

ABOUT_RUNS = re.compile(r"(INSERT INTO|UPDATE|DELETE FROM) (workflow_instance|task_instance|command)\b")

ENDS_COMMANDS = "DELETE FROM command WHERE"
STILL_THERE = "SELECT id FROM command WHERE id IN (SELECT value FROM json_each(?))"

REPLY_LOST = "reply of COMMIT lost"

TABLES = (*(table.name for table in schema.metadata.sorted_tables), "sqlite_sequence")
"""Each behind those that it refers to."""

Statement = tuple[str, tuple[Any, ...]]
"""A text and its values, as the driver takes them."""

SLOTS = 8
"""Of the simulated deployment: a real one has more, which nobody would use, and each look at a stream costs."""


@dataclass(slots=True, kw_only=True)
class Spoil:
    """One failure of a transaction about runs.

    Attributes:
        number: Of the statement that fails, from the first one about runs on (1 is that one).
        how: `before`: the COMMIT fails; `after`: it is carried out and its reply is lost.
        hit: Called when it happens.
    """

    number: int = 0
    how: str = ""
    hit: Callable[[], None]


@dataclass(slots=True)
class Spoiler:
    """Which of the next transactions of a master's loop about runs fails, and where.

    Attributes:
        away: Whether the database answers nobody now.
        master: The master whose thread runs now, if it is one's: faults are meant for those alone.
        in_loop: Whether it is the loop's thread: the one whose transactions are told to fail.
        statements: Failures at a statement, each of them after the one before it.
        commits: Failures of a COMMIT, each of them after the one before it.
        troubles: How many times something failed.
        trespassers: Masters that wrote about runs without owning the slots.
        writes_runs: Whether the present transaction has done so.
        gone: Commands that the present transaction ends although they have no row any more.
        applied_again: Such commands of transactions that were committed all the same.
    """

    away: Callable[[], bool]
    master: Callable[[], str | None]
    in_loop: Callable[[], bool]
    statements: deque[Spoil] = field(default_factory=deque)
    commits: deque[Spoil] = field(default_factory=deque)
    troubles: int = 0
    trespassers: list[str] = field(default_factory=list)
    writes_runs: bool = False
    gone: list[int] = field(default_factory=list)
    applied_again: list[int] = field(default_factory=list)


class Database:
    """One engine for all simulations of this process: each begins with an empty, migrated database.

    Args:
        proving: Looks that could be spared are made all the same, to prove that they can (`idle_looks`).

    Attributes:
        proved: How many were.
    """

    def __init__(self, *, proving: bool = False) -> None:
        self.proving = proving
        self.proved = 0
        self._noted: list[Statement] | None = None
        self._clock: Callable[[], datetime] = datetime.now
        self._spoiler: Spoiler | None = None
        self.engine: Engine = open_engine("sqlite://", "master", sqlite_clock=self._now)
        migrate.upgrade(self.engine)
        self._deploy()
        self._raw = self._driver()
        self._at_first = {name: self.rows(f"SELECT * FROM {name}") for name in TABLES}  # noqa: S608  constants
        event.listen(self.engine, "begin", self._before_begin, insert=True)
        event.listen(self.engine, "before_cursor_execute", self._before_statement)
        event.listen(self.engine, "commit", self._before_commit)

    def _deploy(self) -> None:
        """Leave the deployment only so many slots."""
        with writing(self.engine) as connection:
            connection.execute(update(schema.deployment).values(slots=SLOTS))
            connection.execute(delete(schema.slot_lease).where(schema.slot_lease.c.slot >= SLOTS))

    def _now(self) -> datetime:
        return self._clock()

    def now(self) -> datetime:
        """Return what the database's clock shows, aware UTC."""
        return self._now().astimezone(UTC)

    def clock_text(self) -> str:
        """Return what the clock shows as columns keep it."""
        return self.now().replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")

    def is_away(self) -> bool:
        """Return whether the database would not answer now."""
        return self._spoiler is not None and self._spoiler.away()

    def changes(self) -> int:
        """Return how many rows were ever written."""
        return self._raw.total_changes

    @contextmanager
    def noting_statements(self) -> Iterator[list[Statement]]:
        """Give what is asked of the database meanwhile."""
        noted: list[Statement] = []
        self._noted = noted
        try:
            yield noted
        finally:
            self._noted = None

    def begin(self, clock: Callable[[], datetime], spoiler: Spoiler) -> None:
        """Forget everything, and let `spoiler` and `clock` count from now on."""
        self._spoiler = None
        self._empty()
        self._clock = clock
        self._spoiler = spoiler

    def _empty(self) -> None:
        """Put back what was there at first, row by row: with a copy all statements would be prepared again."""
        self._raw.execute("BEGIN")
        for name in reversed(TABLES):
            self._raw.execute(f"DELETE FROM {name}")  # noqa: S608  a constant
        for name, rows in self._at_first.items():
            if rows:
                places = ", ".join("?" * len(rows[0]))
                self._raw.executemany(f"INSERT INTO {name} VALUES ({places})", rows)  # noqa: S608  the same
        self._raw.execute("COMMIT")

    def end(self) -> None:
        """Let nothing be spoiled any more, and let go of the simulation that did."""
        self._spoiler = None
        self._clock = datetime.now

    def number(self, query: str, *values: object) -> int:
        """Return the one number that a query gives, past everything that can fail or be counted."""
        return int(self.value(query, *values))

    def value(self, query: str, *values: object) -> Any:
        """Return the one value that a query gives, past everything that can fail or be counted."""
        ((found,),) = self.rows(query, *values)
        return found

    def rows(self, query: str, *values: object) -> list[Any]:
        """Return all rows that a query gives, past everything that can fail or be counted."""
        return self._raw.execute(query, values).fetchall()

    def _driver(self) -> sqlite3.Connection:
        """Return the one connection that the engine has; a database in memory is its connection."""
        pooled = self.engine.raw_connection()
        try:
            raw = pooled.driver_connection
            assert isinstance(raw, sqlite3.Connection)
            return raw
        finally:
            pooled.close()

    def _before_begin(self, _connection: Connection) -> None:
        spoiler = self._spoiler
        if spoiler is None or spoiler.master() is None:
            return
        spoiler.writes_runs, spoiler.gone = False, []
        _answer(spoiler)

    def _before_statement(
        self, connection: Connection, _cursor: Any, statement: str, parameters: Any, *_: Any
    ) -> None:
        if self._noted is not None:
            self._noted.append((statement, tuple(parameters)))
        spoiler = self._spoiler
        if spoiler is None or spoiler.master() is None:
            return
        if ABOUT_RUNS.match(statement):
            spoiler.writes_runs = True
        _answer(spoiler)
        if spoiler.statements and self._is_meant(spoiler, connection):
            self._count_down(spoiler)
        if statement.startswith(ENDS_COMMANDS):
            spoiler.gone += _without_row(connection, parameters)

    def _is_meant(self, spoiler: Spoiler, connection: Connection) -> bool:
        """Whether this is a transaction of a loop that has written about runs."""
        return (
            spoiler.writes_runs
            and spoiler.in_loop()
            and bool(connection.get_execution_options().get(WRITING))
        )

    def _count_down(self, spoiler: Spoiler) -> None:
        first = spoiler.statements[0]
        first.number -= 1
        if first.number <= 0:
            spoiler.statements.popleft().hit()
            spoiler.troubles += 1
            raise _broken("a statement failed")

    def _owns(self, connection: Connection, master: str) -> bool:
        raw: Any = connection.connection.dbapi_connection
        (others,) = raw.execute("SELECT count(*) FROM slot_lease WHERE owner IS NOT ?", (master,)).fetchone()
        return not others

    def _before_commit(self, connection: Connection) -> None:
        spoiler = self._spoiler
        master = spoiler.master() if spoiler is not None else None
        if spoiler is None or master is None:
            return
        if spoiler.writes_runs and not self._owns(connection, master):
            spoiler.trespassers.append(master)
        meant = spoiler.commits and self._is_meant(spoiler, connection)
        how = self._next_end(spoiler) if meant else ""
        if how != "before":
            spoiler.applied_again += spoiler.gone
        if not how:
            return
        if how == "after":
            raw = connection.connection.dbapi_connection
            assert raw is not None
            raw.commit()
        raise _broken("COMMIT failed" if how == "before" else REPLY_LOST)

    def _next_end(self, spoiler: Spoiler) -> str:
        spoil = spoiler.commits.popleft()
        spoil.hit()
        spoiler.troubles += 1
        return spoil.how


def _answer(spoiler: Spoiler) -> None:
    if spoiler.away():
        spoiler.troubles += 1
        raise _broken("the simulated database is away")


def _without_row(connection: Connection, parameters: Sequence[str]) -> list[int]:
    """Return the commands that are to be deleted and are not there: an earlier commit has applied them."""
    raw: Any = connection.connection.dbapi_connection
    there = {number for (number,) in raw.execute(STILL_THERE, tuple(parameters))}
    return sorted(set(json.loads(parameters[0])) - there)


def _broken(text: str) -> exc.OperationalError:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR
    return exc.OperationalError(text, {}, error)
