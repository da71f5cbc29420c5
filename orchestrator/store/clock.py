"""Owns the database's clock: the only one that leases, timers and rows go by."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, literal_column, text

from orchestrator.store.session import SQLITE_CLOCK, is_postgres

POSTGRES_NOW = text("SELECT clock_timestamp()")  # now() is the start of the transaction
SQLITE_NOW = text(f"SELECT {SQLITE_CLOCK}()")


def database_now(connection: Connection) -> datetime:
    """Return the database's time at this moment, aware UTC."""
    if is_postgres(connection):
        now: datetime = connection.execute(POSTGRES_NOW).scalar_one()
        return now.astimezone(UTC)
    return datetime.fromisoformat(connection.execute(SQLITE_NOW).scalar_one())


def now_column(*, postgres: bool) -> ColumnElement[Any]:
    """Return the database's time as a column of a query, for `read_now`."""
    return literal_column("clock_timestamp()" if postgres else f"{SQLITE_CLOCK}()")


def read_now(value: Any) -> datetime:
    """Return what `now_column` gave as aware UTC."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.astimezone(UTC)
