"""Owns the translation of driver errors: above the store nobody knows the driver."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from orchestrator.errors import CommitInDoubt, SettingsError, StoreUnavailable

UNAVAILABLE_CLASSES = ("08", "40", "53", "57", "58")
"""PostgreSQL: connection, rollback of a deadlock, resources (disk full), operator, system error."""

UNAVAILABLE_STATES = frozenset({"25P02", "25P03", "25P04", "25006", "55P03", "XX001"})
"""Aborted or idle transaction ended by the server, read-only standby, lock not available, broken page."""

UNDEFINED_STATES = frozenset({"42883", "3F000"})
"""There is no such function, or no schema of temporary objects yet in which it could stand."""

LOST_CONNECTION = ("08", "57P")
"""The connection broke, or the server ended it: what ran on it may have been committed just before."""

ROLLED_BACK_CLASSES = ("23", "40")
"""Answers to COMMIT that say for certain that it did not happen: a constraint, a serialization failure."""

SQLITE_UNAVAILABLE = {
    sqlite3.SQLITE_BUSY: "the SQLite database is locked by another process",
    sqlite3.SQLITE_LOCKED: "the SQLite database is locked by another connection",
    sqlite3.SQLITE_READONLY: "the SQLite database cannot be written",
    sqlite3.SQLITE_IOERR: "the disk under the SQLite database does not answer",
    sqlite3.SQLITE_FULL: "the disk under the SQLite database is full",
    sqlite3.SQLITE_CANTOPEN: "the SQLite database file cannot be opened",
    sqlite3.SQLITE_PROTOCOL: "the SQLite database is locked by another process",
    sqlite3.SQLITE_NOMEM: "there is no memory left for the SQLite database",
}

SQLITE_UNUSABLE = {
    sqlite3.SQLITE_NOTADB: "is no SQLite database; move it away, or name another one in ORCHESTRATOR_DATABASE_URL",
    sqlite3.SQLITE_CORRUPT: "is damaged; put a copy of it there, or name another one in ORCHESTRATOR_DATABASE_URL",
}
"""What waiting does not mend, and a person can."""

DISK_FULL = "53100"


@contextmanager
def translated(place: str | None = None) -> Iterator[None]:
    """Let a driver error that means "the database is away" leave as `StoreUnavailable`, any other as itself.

    Args:
        place: The file or the name of the database, for messages.

    Raises:
        StoreUnavailable: The database did not answer, or cannot at the moment.
        SettingsError: The file is not one of SQLite.
    """
    try:
        yield
    except exc.TimeoutError as error:
        raise StoreUnavailable("all connections to the database are in use") from error
    except exc.DBAPIError as error:
        if isinstance(error.orig, sqlite3.Error) and _sqlite_code(error.orig) in SQLITE_UNUSABLE:
            fault = SQLITE_UNUSABLE[_sqlite_code(error.orig)]
            raise SettingsError(f"the database file {place or ''} {fault}") from error
        reason = reason_unavailable(error)
        if reason is None:
            raise
        raise StoreUnavailable(reason) from error


@contextmanager
def translated_at_once() -> Iterator[None]:
    """Translate an error of a statement that is a transaction by itself: it may be done if its reply was lost.

    Raises:
        CommitInDoubt: It may have happened.
    """
    try:
        yield
    except exc.DBAPIError as error:
        if _is_away(error) or (sql_state(error) or "").startswith(LOST_CONNECTION):
            raise CommitInDoubt(f"no reply to a commit: {_first_line(error)}") from error
        raise


@contextmanager
def translated_commit() -> Iterator[None]:
    """Translate an error of COMMIT: what does not say for certain that it failed leaves it in doubt.

    Raises:
        CommitInDoubt: It may have happened.
        StoreUnavailable: It did not happen; the database cannot at the moment.
    """
    try:
        yield
    except exc.DBAPIError as error:
        if not _is_rolled_back(error):
            raise CommitInDoubt(f"no reply to COMMIT: {_first_line(error)}") from error
        reason = reason_unavailable(error)
        if reason is None:
            raise
        raise StoreUnavailable(reason) from error


def reason_unavailable(error: exc.DBAPIError) -> str | None:
    """Return in one line why the database cannot answer, or `None` when the error is a bug."""
    if isinstance(error.orig, sqlite3.Error):
        return SQLITE_UNAVAILABLE.get(_sqlite_code(error.orig))
    state = sql_state(error)
    if state == DISK_FULL:
        return f"the disk under PostgreSQL is full: {_first_line(error)}"
    if _is_away(error) or (state or "").startswith(UNAVAILABLE_CLASSES) or state in UNAVAILABLE_STATES:
        return f"the database does not answer: {_first_line(error)}"
    return None


def _is_away(error: exc.DBAPIError) -> bool:
    return error.connection_invalidated or (
        sql_state(error) is None and isinstance(error, exc.OperationalError)
    )


def sql_state(error: exc.DBAPIError) -> str | None:
    """Return the five letters of PostgreSQL's SQLSTATE, or `None` when the server said nothing."""
    state = getattr(error.orig, "pgcode", None) or getattr(error.orig, "sqlstate", None)
    return str(state) if state else None


def _is_rolled_back(error: exc.DBAPIError) -> bool:
    if isinstance(error.orig, sqlite3.Error):
        return _sqlite_code(error.orig) != sqlite3.SQLITE_IOERR  # the log may have reached the disk
    return (sql_state(error) or "").startswith(ROLLED_BACK_CLASSES)


def _sqlite_code(error: sqlite3.Error) -> int:
    """Return the primary result code: the lowest byte of the extended one."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _first_line(error: exc.DBAPIError) -> str:
    return (str(error.orig).strip().splitlines() or [type(error.orig).__name__])[0]
