"""Owns the spool: what this worker has to report and what it runs, in one SQLite file per worker name.

The pool's children write, the main process reads and deletes. Nothing here needs to survive the machine:
Redis does that. It must survive the process, so writes are not synced to the disk.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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
    spool_id INTEGER NOT NULL, claimed INTEGER NOT NULL  -- of the delivery that the row belongs to
) WITHOUT ROWID;
"""

ATTEMPT_COLUMNS = (
    "order_id, incarnation, pid, thread, process_group, group_started, deadline, spool_id, claimed"
)

_EVENT = "SELECT spool_id, incarnation, slot, order_id, payload, entry, written_at FROM event"
ONE_EVENT = _EVENT + " WHERE spool_id = ?"
OLD_EVENTS = _EVENT + " WHERE claimed AND spool_id <= ? ORDER BY spool_id LIMIT ?"
UNSENT_EVENTS = _EVENT + " WHERE claimed AND entry IS NULL AND spool_id <= ? ORDER BY spool_id LIMIT 1000"
INHERITED_EVENTS = _EVENT + " WHERE claimed AND incarnation <> ? ORDER BY spool_id LIMIT ?"
ALL_ATTEMPTS = (
    "SELECT order_id, incarnation, pid, thread, process_group, group_started, deadline, ending, ending_at"
    " FROM attempt"
)
ANSWERS_FOR = (
    "SELECT 1 FROM attempt WHERE order_id = ? AND claimed UNION ALL"
    " SELECT 1 FROM event WHERE order_id = ? AND claimed LIMIT 1"
)
ONE_ATTEMPT = ALL_ATTEMPTS + " WHERE order_id = ?"


class SpoolUnwritable(OrchestratorError):
    """The spool's file cannot be written: the disk is full or broken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpooledEvent:
    """One event without a verdict.

    Attributes:
        entry: Id of its stream entry; `None` when it was never sent.
        written_at: Seconds since the epoch.
    """

    spool_id: int
    incarnation: str
    slot: int
    order_id: str
    payload: bytes
    entry: str | None
    written_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFacts:
    """What the main process needs to end an attempt that one of its children runs.

    Attributes:
        pid: The child that runs it, or the main process itself (solo and threads pools).
        thread: Thread that runs it, when the pool has threads instead of children.
        process_group: Group of everything the attempt started; `None` when it has none of its own.
        group_started: When that group's leader started, seconds since the epoch.
        deadline: `time.monotonic()` after which the worker ends it; `None`: never.
        ending: Why it is being ended (`timeout`, `stop`, `stale`, `partition`), once it is.
        ending_at: `time.monotonic()` of that decision.
    """

    order_id: str
    incarnation: str
    pid: int
    thread: int | None = None
    process_group: int | None = None
    group_started: float | None = None
    deadline: float | None = None
    ending: str | None = None
    ending_at: float | None = None


class Spool:
    """Thread-safe, and safe to have when the process forks: every process opens the file for itself.

    Args:
        path: The SQLite file; its directory is created.
        incarnation: Written beside everything, so that a successor knows what it inherited.
        clock: Seconds since the epoch.
    """

    def __init__(self, path: Path, incarnation: str, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._incarnation = incarnation
        self._clock = clock
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        path.parent.mkdir(parents=True, exist_ok=True)
        _close_around_forks(self)

    def begin(self, facts: AttemptFacts, slot: int, payload: bytes) -> int:
        """Write down an attempt and its RUNNING event before it is claimed; return the event's spool id.

        Neither counts before `won`: a heartbeat that listed the attempt would take the claim before its owner
        asks for it. A second delivery of an order that runs here leaves the row of the first one alone.

        Raises:
            SpoolUnwritable: Nothing was written.
        """
        with self._transaction() as connection:
            spool_id = self._insert(connection, slot, facts.order_id, payload, claimed=False)
            self._insert_attempt(connection, "IGNORE", facts, spool_id, claimed=False)
            return spool_id

    def propose(self, slot: int, order_id: str, payload: bytes) -> int:
        """Write down the event that gives a hand-over back, before it is claimed; return its spool id.

        Raises:
            SpoolUnwritable: Nothing was written.
        """
        with self._transaction() as connection:
            return self._insert(connection, slot, order_id, payload, claimed=False)

    def won(self, spool_id: int, entry: str | None, facts: AttemptFacts | None) -> None:
        """Note that the claim was won: the event counts, and the attempt is this delivery's."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE event SET claimed = 1, entry = ? WHERE spool_id = ?", (entry, spool_id)
            )
            if facts is not None:
                self._insert_attempt(connection, "REPLACE", facts, spool_id, claimed=True)

    def write(self, slot: int, order_id: str, payload: bytes) -> int:
        """Write down the event that ends a hand-over, and forget the attempt; return the event's spool id.

        Raises:
            SpoolUnwritable: Nothing was written.
        """
        with self._transaction() as connection:
            connection.execute("DELETE FROM attempt WHERE order_id = ?", (order_id,))
            return self._insert(connection, slot, order_id, payload)

    def forget(self, spool_id: int) -> None:
        """Take back what a delivery wrote: its claim was refused."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM attempt WHERE spool_id = ?", (spool_id,))
            connection.execute("DELETE FROM event WHERE spool_id = ?", (spool_id,))

    def forget_unclaimed(self) -> None:
        """Take back what earlier incarnations wrote and never won."""
        with self._transaction() as connection:
            for table in ("attempt", "event"):
                connection.execute(
                    f"DELETE FROM {table} WHERE NOT claimed AND incarnation <> ?",  # noqa: S608  two own names
                    (self._incarnation,),
                )

    def sent(self, spool_id: int, entry: str) -> None:
        """Remember the stream entry that carries an event."""
        self._run("UPDATE event SET entry = ? WHERE spool_id = ?", (entry, spool_id))

    def settle(self, spool_ids: Iterable[int]) -> None:
        """Delete events whose verdict arrived."""
        with self._transaction() as connection:
            connection.executemany("DELETE FROM event WHERE spool_id = ?", [(one,) for one in spool_ids])

    def end_attempt(self, order_id: str, ending: str, now: float) -> bool:
        """Note why an attempt is being ended; tell whether it runs here and had not been noted before."""
        changed = self._run(
            "UPDATE attempt SET ending = ?, ending_at = ? WHERE order_id = ? AND ending IS NULL RETURNING 1",
            (ending, now, order_id),
        )
        return bool(changed)

    def remove_attempt(self, order_id: str) -> None:
        """Forget an attempt of which nothing is left."""
        self._run("DELETE FROM attempt WHERE order_id = ?", (order_id,))

    def event(self, spool_id: int) -> SpooledEvent | None:
        """Return one event, or `None` when it is settled."""
        return next(iter(self._events(ONE_EVENT, (spool_id,))), None)

    def events(self, *, up_to: int, limit: int = 10_000) -> list[SpooledEvent]:
        """Return the oldest events without a verdict with spool ids up to `up_to`, in order."""
        return self._events(OLD_EVENTS, (up_to, limit))

    def unsent(self, *, up_to: int) -> list[SpooledEvent]:
        """Return the events up to a spool id that never got into a stream, in order."""
        return self._events(UNSENT_EVENTS, (up_to,))

    def newest(self) -> int:
        """Return the greatest spool id without a verdict; 0 without any."""
        return int(self._run("SELECT coalesce(max(spool_id), 0) FROM event")[0][0])

    def inherited(self, limit: int = 10_000) -> list[SpooledEvent]:
        """Return what earlier incarnations left unsettled and that was not sent again yet, in order."""
        return self._events(INHERITED_EVENTS, (self._incarnation, limit))

    def attempts(self) -> list[AttemptFacts]:
        """Return everything that runs, or ran when an earlier incarnation died."""
        rows = self._run(ALL_ATTEMPTS)
        return [_facts(row) for row in rows]

    def attempt(self, order_id: str) -> AttemptFacts | None:
        """Return the facts of one attempt that runs here, or `None`."""
        rows = self._run(ONE_ATTEMPT, (order_id,))
        return next((_facts(row) for row in rows), None)

    def ending(self, order_id: str) -> str | None:
        """Return why an attempt is being ended, or `None`."""
        rows = self._run("SELECT ending FROM attempt WHERE order_id = ?", (order_id,))
        return rows[0][0] if rows else None

    def claimed(self) -> list[str]:
        """Return the order ids that this worker answers for: running, or without a verdict on their end."""
        rows = self._run(
            "SELECT order_id FROM attempt WHERE claimed UNION SELECT order_id FROM event WHERE claimed"
        )
        return [row[0] for row in rows]

    def answers_for(self, order_id: str) -> bool:
        """Return whether this worker runs a hand-over, or has run it and heard no verdict on its end."""
        return bool(self._run(ANSWERS_FOR, (order_id, order_id)))

    def count(self) -> int:
        """Return how many events have no verdict yet."""
        return int(self._run("SELECT count(*) FROM event WHERE claimed")[0][0])

    def close(self) -> None:
        """Close this process's connection; the next use opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _insert(
        self,
        connection: sqlite3.Connection,
        slot: int,
        order_id: str,
        payload: bytes,
        *,
        claimed: bool = True,
    ) -> int:
        cursor = connection.execute(
            "INSERT INTO event(incarnation, slot, order_id, payload, written_at, claimed) VALUES (?,?,?,?,?,?)",
            (self._incarnation, slot, order_id, payload, self._clock(), claimed),
        )
        return int(cursor.lastrowid or 0)

    def _insert_attempt(
        self,
        connection: sqlite3.Connection,
        otherwise: str,
        facts: AttemptFacts,
        spool_id: int,
        *,
        claimed: bool,
    ) -> None:
        statement = f"INSERT OR {otherwise} INTO attempt({ATTEMPT_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?)"  # noqa: S608
        connection.execute(
            statement,
            (
                facts.order_id, facts.incarnation, facts.pid, facts.thread,
                facts.process_group, facts.group_started, facts.deadline, spool_id, claimed,
            ),
        )  # fmt: skip

    def _events(self, statement: str, values: Sequence[object]) -> list[SpooledEvent]:
        return [_spooled(row) for row in self._run(statement, values)]

    def _run(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        """Return all rows at once.

        A statement that is open while the process forks keeps the file open in the child, whose own connection
        then shares the parent's locks: what the child writes is never seen.
        """
        with self._lock, _translated():
            return self._open().execute(statement, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
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

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = sqlite3.connect(
                self._path, isolation_level=None, timeout=BUSY_TIMEOUT_S, check_same_thread=False
            )
            self._connection.execute("PRAGMA synchronous=OFF")
            self._connection.executescript(SCHEMA)
        return self._connection

    def before_fork(self) -> None:
        """Close the connection and hold the lock: SQLite must not be inherited open by a child."""
        self._lock.acquire()
        self.close()

    def after_fork(self) -> None:
        """Let go of the lock, in parent and child alike."""
        self._lock.release()


def _close_around_forks(spool: Spool) -> None:
    before, after = WeakMethod(spool.before_fork), WeakMethod(spool.after_fork)

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


def _facts(row: Sequence[Any]) -> AttemptFacts:
    return AttemptFacts(
        order_id=row[0], incarnation=row[1], pid=row[2], thread=row[3], process_group=row[4],
        group_started=row[5], deadline=row[6], ending=row[7], ending_at=row[8],
    )  # fmt: skip


def _spooled(row: Sequence[Any]) -> SpooledEvent:
    return SpooledEvent(
        spool_id=row[0], incarnation=row[1], slot=row[2], order_id=row[3], payload=row[4], entry=row[5],
        written_at=row[6],
    )  # fmt: skip
