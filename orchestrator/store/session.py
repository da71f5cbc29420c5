"""Owns the connection to the database: how it is opened, and the two kinds of transaction."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec
from sqlalchemy import URL, Connection, create_engine, event, exc, make_url
from sqlalchemy import Engine as Engine  # noqa: PLC0414  the one name of the driver that others hand on
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from orchestrator.errors import SettingsError, UserError
from orchestrator.store.driver_errors import translated, translated_at_once, translated_commit

Role = Literal["master", "service", "migration"]

BATCHES = {"executemany_mode": "values_plus_batch"}
"""psycopg2 sends the UPDATEs of many rows one by one, each with a round trip, if it is not told otherwise."""

LEASE_SHARE = 0.4
"""A transaction of a stopped master must end well before its lease is taken over."""

SERVICE_TIMEOUT_S = 30.0
POOL_TIMEOUT_S = 10.0
SQLITE_BUSY_S = 5.0

WRITING = "orchestrator_writing"
SQLITE_CLOCK = "orchestrator_now"
"""The SQL function by which SQLite tells the time."""


def open_engine(
    url: str,
    role: Role,
    *,
    lease_s: float = 10.0,
    connect_timeout_s: float = 5.0,
    pool_size: int = 5,
    sqlite_clock: Callable[[], datetime] | None = None,
) -> Engine:
    """Return an engine whose statements, locks and connection attempts all have a limit; it connects later.

    Args:
        url: SQLAlchemy URL of a SQLite or PostgreSQL database; `sqlite://` is one in memory.
        role: `master`: no transaction outlives half a lease; `migration`: statements may take as long as
            they need; `service`: everybody else.
        lease_s: How long a slot's lease lives, in seconds.
        connect_timeout_s: How long one attempt to connect may take, in seconds.
        pool_size: Connections that are kept open.
        sqlite_clock: SQLite has no server, so its clock is handed in: the machine's (default), or a simulated one.

    Raises:
        UserError: The URL is wrong, or of another database.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        return _open_sqlite(
            parsed,
            busy_s=min(SQLITE_BUSY_S, lease_s / 2 if role == "master" else SQLITE_BUSY_S),
            clock=sqlite_clock or _machine_clock,
        )
    return _create(
        parsed,
        connect_args=_postgres_arguments(parsed, role, lease_s, connect_timeout_s),
        **(BATCHES if parsed.get_dialect().driver == "psycopg2" else {}),
        pool_size=pool_size,
        pool_use_lifo=True,  # the connection used last has its plans, and its backend's memory is warm
        pool_pre_ping=role != "master",  # the master's back-off costs less than a question before each use
    )


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Give a connection in a transaction that is rolled back at the end.

    Raises:
        StoreUnavailable: The database did not answer.
    """
    with translated(engine.url.database), engine.connect() as connection, connection.begin() as transaction:
        yield connection
        transaction.rollback()


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Give a connection in a transaction that is committed at the end, and rolled back on any exception.

    On SQLite it begins with `BEGIN IMMEDIATE`, so that what it reads stays true until it writes.

    Raises:
        StoreUnavailable: The database did not answer; nothing was committed.
        CommitInDoubt: The reply of the COMMIT was lost.
    """
    with translated(engine.url.database), engine.connect() as connection:
        connection.execution_options(**{WRITING: True})
        transaction = connection.begin()
        try:
            yield connection
        except BaseException:
            with suppress(exc.DBAPIError):  # the first error tells more than a ROLLBACK on a dead connection
                transaction.rollback()
            raise
        try:
            with translated_commit():
                transaction.commit()
        except BaseException:
            _abandon(connection)
            raise


@contextmanager
def at_once(engine: Engine) -> Iterator[Connection]:
    """Give a connection of PostgreSQL for one statement that is a whole transaction: one round trip, not three.

    Raises:
        StoreUnavailable: The database did not answer; nothing was committed.
        CommitInDoubt: The reply was lost.
    """
    with (
        translated(engine.url.database),
        engine.connect() as connection,
        _in_autocommit(connection),
        translated_at_once(),
    ):
        yield connection


@contextmanager
def _in_autocommit(connection: Connection) -> Iterator[None]:
    """Let the driver begin no transactions meanwhile.

    SQLAlchemy's isolation level "AUTOCOMMIT" is not that: to take it back psycopg2 asks the server, which is one
    more round trip, and one that can fail when all is committed.
    """
    raw = connection.connection.dbapi_connection
    assert raw is not None  # noqa: S101  it has just been checked out
    raw.autocommit = True
    try:
        yield
    finally:
        try:
            raw.autocommit = False
        except connection.dialect.loaded_dbapi.Error:  # of a dead connection; what was committed stays so
            connection.invalidate()


def _abandon(connection: Connection) -> None:
    """Make sure that the next user of a connection whose COMMIT failed does not go on in its transaction.

    SQLAlchemy neither rolls back such a transaction nor lets the pool do it: a later COMMIT on the same
    connection would write what was reported as failed.
    """
    if is_postgres(connection):
        connection.invalidate()
        return
    raw = connection.connection.dbapi_connection
    if raw is not None:
        with suppress(exc.DBAPIError, connection.dialect.loaded_dbapi.Error):
            raw.rollback()


def is_postgres(source: Engine | Connection) -> bool:
    """Return whether this is PostgreSQL (else it is SQLite)."""
    return source.dialect.name == "postgresql"


def to_json(value: Any) -> str:
    """Return `value` as JSON text: dataclasses by their fields, times in ISO 8601, any mapping as a map."""
    return msgspec.json.encode(value, enc_hook=_plain).decode()


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"no JSON for a {type(value).__name__}")


def _parse(url: str) -> URL:
    for short in ("postgresql://", "postgres://"):
        if url.startswith(short):  # SQLAlchemy 2.1 would take psycopg 3
            url = "postgresql+psycopg2://" + url.removeprefix(short)
    try:
        parsed = make_url(url)
    except exc.ArgumentError:
        raise UserError(
            "the database URL cannot be read; it looks like sqlite:///FILE or postgresql://…"
        ) from None
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise UserError(f"the database is SQLite or PostgreSQL, not {parsed.get_backend_name()}")
    return parsed


def _create(url: URL, **arguments: Any) -> Engine:
    try:
        return create_engine(
            url,
            pool_timeout=POOL_TIMEOUT_S,
            json_serializer=to_json,
            json_deserializer=msgspec.json.decode,
            hide_parameters=True,  # outputs and parameters are nobody's business in an error message
            **arguments,
        )
    except (exc.NoSuchModuleError, ImportError) as error:
        raise UserError(
            f"the driver '{url.drivername}' of the database URL is not installed: {error}"
        ) from None


def _postgres_arguments(url: URL, role: Role, lease_s: float, connect_timeout_s: float) -> dict[str, Any]:
    settings = {"timezone": "UTC"}
    if role != "migration":
        longest_ms = round(1000 * (LEASE_SHARE * lease_s if role == "master" else SERVICE_TIMEOUT_S))
        settings["statement_timeout"] = f"{max(2, longest_ms)}"
        settings["idle_in_transaction_session_timeout"] = f"{max(2, longest_ms)}"
        settings["lock_timeout"] = f"{max(1, longest_ms // 2)}"
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    given = url.query.get("options", ())
    return {
        "options": " ".join((options, *((given,) if isinstance(given, str) else given))),
        "application_name": f"orchestrator {role}",
        "connect_timeout": max(2, round(connect_timeout_s)),  # libpq takes less than 2 s as 2 s
        "keepalives": 1,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": round(max(lease_s, connect_timeout_s) * 1000),
    }


def _open_sqlite(url: URL, *, busy_s: float, clock: Callable[[], datetime]) -> Engine:
    in_memory = url.database in (None, "", ":memory:")
    if not in_memory and url.database is not None:
        _make_directory(Path(url.database).parent)
    engine = _create(
        url,
        connect_args={"check_same_thread": False, "timeout": busy_s},
        poolclass=QueuePool,
        pool_size=1 if in_memory else 5,  # a database in memory is its one connection: users queue for it
        max_overflow=0 if in_memory else 10,
    )

    def set_up(connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
        _set_up_sqlite(connection, entry)
        connection.create_function(SQLITE_CLOCK, 0, lambda: _stored_time(clock()))

    event.listen(engine, "connect", set_up)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _stored_time(now: datetime) -> str:
    """Return a time as SQLite keeps it in columns, so that it can be compared with them."""
    return now.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"the database's directory '{directory}' cannot be made ({error.strerror}: {error.filename}); name"
            " another one in ORCHESTRATOR_HOME or ORCHESTRATOR_DATABASE_URL"
        ) from None


def _set_up_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself: `_begin_sqlite` does
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _machine_clock() -> datetime:
    return datetime.now(UTC)


def _begin_sqlite(connection: Connection) -> None:
    """Begin past SQLAlchemy, whose way takes as long as the look of a master that follows."""
    statement = "BEGIN IMMEDIATE" if connection.get_execution_options().get(WRITING) else "BEGIN DEFERRED"
    raw: Any = connection.connection.dbapi_connection
    try:
        raw.execute(statement)
    except sqlite3.Error as error:
        raise exc.OperationalError(statement, {}, error) from error
