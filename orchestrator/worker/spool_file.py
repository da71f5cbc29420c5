"""Owns a spool's file: its tables, one connection for each process, transactions, and what a fork does to them.

Nothing here needs to survive the machine: Redis does that. It must survive the process, so writes are not synced
to the disk.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakMethod

from orchestrator.errors import OrchestratorError

BUSY_TIMEOUT_S = 30.0

SCHEMA = """
PRAGMA journal_mode=WAL;
CREATE TABLE IF NOT EXISTS event (
    spool_id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never reused: a late verdict must not hit a newer event
    incarnation TEXT NOT NULL, slot INTEGER NOT NULL, order_id TEXT NOT NULL, payload BLOB NOT NULL,
    entry TEXT, written_at REAL NOT NULL,
    claimed INTEGER NOT NULL DEFAULT 1  -- 0 until the claim that it was written for is won
);
CREATE INDEX IF NOT EXISTS event_by_order ON event(order_id);  -- with the master down there are thousands
CREATE TABLE IF NOT EXISTS attempt (
    order_id TEXT PRIMARY KEY, incarnation TEXT NOT NULL, pid INTEGER NOT NULL, thread INTEGER,
    process_group INTEGER, group_started REAL, deadline REAL, ending TEXT, ending_at REAL,
    spool_id INTEGER NOT NULL DEFAULT 0, claimed INTEGER NOT NULL DEFAULT 1  -- of the delivery of this row
) WITHOUT ROWID;
"""

ADDED = (
    ("event", "claimed", "INTEGER NOT NULL DEFAULT 1"),
    ("attempt", "spool_id", "INTEGER NOT NULL DEFAULT 0"),
    ("attempt", "claimed", "INTEGER NOT NULL DEFAULT 1"),
)
"""Columns that the first spools did not have: a worker goes on with the reports that an older program has left."""


class SpoolUnwritable(OrchestratorError):
    """The spool's file cannot be written: the disk is full or broken."""


class SpoolFile:
    """Thread-safe, and safe to have when the process forks: every process opens the file for itself.

    Args:
        path: The SQLite file; its directory is created.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        path.parent.mkdir(parents=True, exist_ok=True)
        _close_around_forks(self)

    def run(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        """Carry out one statement; return all rows at once.

        A statement that is open while the process forks keeps the file open in the child, whose own connection
        then shares the parent's locks: what the child writes is never seen.

        Raises:
            SpoolUnwritable: The file cannot be used.
        """
        with self._lock, _translated():
            return self._open().execute(statement, values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Write what is done within, all of it or nothing.

        Raises:
            SpoolUnwritable: Nothing was written.
        """
        with self._lock, _translated():
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close this process's connection; the next use opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def before_fork(self) -> None:
        """Close the connection and hold the lock: SQLite must not be inherited open by a child."""
        self._lock.acquire()
        self.close()

    def after_fork(self) -> None:
        """Let go of the lock, in parent and child alike."""
        self._lock.release()

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = sqlite3.connect(
                self._path, isolation_level=None, timeout=BUSY_TIMEOUT_S, check_same_thread=False
            )
            try:
                connection.execute("PRAGMA synchronous=OFF")
                connection.executescript(SCHEMA)
                _add_columns(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection


def _add_columns(connection: sqlite3.Connection) -> None:
    """Give an older program's tables what they lack; several processes may open the file at once."""
    if not _lacking(connection):
        return
    connection.execute("BEGIN IMMEDIATE")
    for table, column, kind in _lacking(connection):
        connection.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")
    connection.execute("COMMIT")


def _lacking(connection: sqlite3.Connection) -> list[tuple[str, str, str]]:
    columns = {
        table: {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        for table in {table for table, _, _ in ADDED}
    }
    return [one for one in ADDED if one[1] not in columns[one[0]]]


def _close_around_forks(file: SpoolFile) -> None:
    before, after = WeakMethod(file.before_fork), WeakMethod(file.after_fork)

    def call(reference: WeakMethod[Any]) -> None:
        method = reference()
        if method is not None:
            method()

    os.register_at_fork(
        before=lambda: call(before),
        after_in_parent=lambda: call(after),
        after_in_child=lambda: call(after),
    )


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise SpoolUnwritable(f"the spool cannot be used: {error}") from error
