"""Owns the spool: what this worker has to report and what it runs, one file for each worker name.

The pool's children write, the main process reads and deletes.
"""

import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from orchestrator.worker.spool_file import SpoolFile
from orchestrator.worker.spooled import (
    ATTEMPT_COLUMNS,
    EVENT_COLUMNS,
    AttemptFacts,
    SpooledEvent,
    event_of,
    facts_of,
)

_EVENT = f"SELECT {EVENT_COLUMNS} FROM event"  # noqa: S608  a constant
ONE_EVENT = _EVENT + " WHERE spool_id = ?"
OLD_EVENTS = _EVENT + " WHERE claimed AND spool_id <= ? ORDER BY spool_id LIMIT ?"
UNSENT_EVENTS = _EVENT + " WHERE claimed AND entry IS NULL AND spool_id <= ? ORDER BY spool_id LIMIT 1000"
INHERITED_EVENTS = _EVENT + " WHERE claimed AND incarnation <> ? ORDER BY spool_id LIMIT ?"
ALL_ATTEMPTS = f"SELECT {ATTEMPT_COLUMNS} FROM attempt"  # noqa: S608  a constant
ONE_ATTEMPT = ALL_ATTEMPTS + " WHERE order_id = ?"
ANSWERS_FOR = (
    "SELECT 1 FROM attempt WHERE order_id = ? AND claimed UNION ALL"
    " SELECT 1 FROM event WHERE order_id = ? AND claimed LIMIT 1"
)
NEW_EVENT = (
    "INSERT INTO event(incarnation, slot, order_id, payload, written_at, claimed) VALUES (?, ?, ?, ?, ?, ?)"
)
NEW_ATTEMPT = (
    "INTO attempt(order_id, incarnation, pid, thread, process_group, group_started, deadline, spool_id, claimed)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
FIRST_DELIVERY = f"INSERT OR IGNORE {NEW_ATTEMPT}"
THIS_DELIVERY = f"INSERT OR REPLACE {NEW_ATTEMPT}"


class Spool:
    """Thread-safe, and safe to have when the process forks, as its file is.

    Args:
        path: The SQLite file; its directory is created.
        incarnation: Written beside everything, so that a successor knows what it inherited.
        clock: Seconds since the epoch.
        open_file: Opens the file.
    """

    def __init__(
        self,
        path: Path,
        incarnation: str,
        clock: Callable[[], float] = time.time,
        open_file: Callable[[Path], SpoolFile] = SpoolFile,
    ) -> None:
        self._file = open_file(path)
        self._incarnation = incarnation
        self._clock = clock

    def begin(self, facts: AttemptFacts, slot: int, payload: bytes) -> int:
        """Write down an attempt and its RUNNING event before it is claimed; return the event's spool id.

        Neither counts before `won`: a heartbeat that listed the attempt would take the claim before its owner
        asks for it. A second delivery of an order that runs here leaves the row of the first one alone.

        Raises:
            SpoolUnwritable: Nothing was written.
        """
        with self._file.transaction() as connection:
            spool_id = self._insert(connection, slot, facts.order_id, payload, claimed=False)
            _insert_attempt(connection, FIRST_DELIVERY, facts, spool_id, claimed=False)
            return spool_id

    def propose(self, slot: int, order_id: str, payload: bytes) -> int:
        """Write down the event that gives a hand-over back, before it is claimed; return its spool id.

        Raises:
            SpoolUnwritable: Nothing was written.
        """
        with self._file.transaction() as connection:
            return self._insert(connection, slot, order_id, payload, claimed=False)

    def won(self, spool_id: int, entry: str | None, facts: AttemptFacts | None) -> None:
        """Note that the claim was won: the event counts, and the attempt is this delivery's."""
        with self._file.transaction() as connection:
            connection.execute(
                "UPDATE event SET claimed = 1, entry = ? WHERE spool_id = ?", (entry, spool_id)
            )
            if facts is not None:
                _insert_attempt(connection, THIS_DELIVERY, facts, spool_id, claimed=True)

    def write(self, slot: int, order_id: str, payload: bytes) -> int:
        """Write down the event that ends a hand-over, and forget the attempt; return the event's spool id.

        Raises:
            SpoolUnwritable: Nothing was written.
        """
        with self._file.transaction() as connection:
            connection.execute("DELETE FROM attempt WHERE order_id = ?", (order_id,))
            return self._insert(connection, slot, order_id, payload)

    def forget(self, spool_id: int) -> None:
        """Take back what a delivery wrote: its claim was refused."""
        with self._file.transaction() as connection:
            connection.execute("DELETE FROM attempt WHERE spool_id = ?", (spool_id,))
            connection.execute("DELETE FROM event WHERE spool_id = ?", (spool_id,))

    def forget_unclaimed(self) -> None:
        """Take back what earlier incarnations wrote and never won."""
        with self._file.transaction() as connection:
            for table in ("attempt", "event"):
                connection.execute(
                    f"DELETE FROM {table} WHERE NOT claimed AND incarnation <> ?",  # noqa: S608  two own names
                    (self._incarnation,),
                )

    def sent(self, spool_id: int, entry: str) -> None:
        """Remember the stream entry that carries an event."""
        self._file.run("UPDATE event SET entry = ? WHERE spool_id = ?", (entry, spool_id))

    def settle(self, spool_ids: Iterable[int]) -> None:
        """Delete events whose verdict arrived."""
        with self._file.transaction() as connection:
            connection.executemany("DELETE FROM event WHERE spool_id = ?", [(one,) for one in spool_ids])

    def end_attempt(self, order_id: str, ending: str, now: float) -> bool:
        """Note why an attempt is being ended; tell whether it runs here and had not been noted before."""
        changed = self._file.run(
            "UPDATE attempt SET ending = ?, ending_at = ? WHERE order_id = ? AND ending IS NULL RETURNING 1",
            (ending, now, order_id),
        )
        return bool(changed)

    def remove_attempt(self, order_id: str) -> None:
        """Forget an attempt of which nothing is left."""
        self._file.run("DELETE FROM attempt WHERE order_id = ?", (order_id,))

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
        return int(self._file.run("SELECT coalesce(max(spool_id), 0) FROM event")[0][0])

    def inherited(self, limit: int = 10_000) -> list[SpooledEvent]:
        """Return what earlier incarnations left unsettled and that was not sent again yet, in order."""
        return self._events(INHERITED_EVENTS, (self._incarnation, limit))

    def attempts(self) -> list[AttemptFacts]:
        """Return everything that runs, or ran when an earlier incarnation died."""
        rows = self._file.run(ALL_ATTEMPTS)
        return [facts_of(row) for row in rows]

    def attempt(self, order_id: str) -> AttemptFacts | None:
        """Return the facts of one attempt that runs here, or `None`."""
        rows = self._file.run(ONE_ATTEMPT, (order_id,))
        return next((facts_of(row) for row in rows), None)

    def ending(self, order_id: str) -> str | None:
        """Return why an attempt is being ended, or `None`."""
        rows = self._file.run("SELECT ending FROM attempt WHERE order_id = ?", (order_id,))
        return rows[0][0] if rows else None

    def claimed(self) -> list[str]:
        """Return the order ids that this worker answers for: running, or without a verdict on their end."""
        rows = self._file.run(
            "SELECT order_id FROM attempt WHERE claimed UNION SELECT order_id FROM event WHERE claimed"
        )
        return [row[0] for row in rows]

    def answers_for(self, order_id: str) -> bool:
        """Return whether this worker runs a hand-over, or has run it and heard no verdict on its end."""
        return bool(self._file.run(ANSWERS_FOR, (order_id, order_id)))

    def count(self) -> int:
        """Return how many events have no verdict yet."""
        return int(self._file.run("SELECT count(*) FROM event WHERE claimed")[0][0])

    def close(self) -> None:
        """Close this process's connection; the next use opens it again."""
        self._file.close()

    def _insert(
        self,
        connection: sqlite3.Connection,
        slot: int,
        order_id: str,
        payload: bytes,
        *,
        claimed: bool = True,
    ) -> int:
        values = (self._incarnation, slot, order_id, payload, self._clock(), claimed)
        return int(connection.execute(NEW_EVENT, values).lastrowid or 0)

    def _events(self, statement: str, values: Sequence[object]) -> list[SpooledEvent]:
        return [event_of(row) for row in self._file.run(statement, values)]


def _insert_attempt(
    connection: sqlite3.Connection, statement: str, facts: AttemptFacts, spool_id: int, *, claimed: bool
) -> None:
    connection.execute(
        statement,
        (
            facts.order_id, facts.incarnation, facts.pid, facts.thread,
            facts.process_group, facts.group_started, facts.deadline, spool_id, claimed,
        ),
    )  # fmt: skip
