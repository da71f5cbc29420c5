"""Owns the database's clock: the only one that leases, timers and rows go by."""

from datetime import UTC, datetime

from sqlalchemy import Connection, text

from orchestrator.store.session import SQLITE_CLOCK, is_postgres

POSTGRES_NOW = text("SELECT clock_timestamp()")  # now() is the start of the transaction
SQLITE_NOW = text(f"SELECT {SQLITE_CLOCK}()")


def database_now(connection: Connection) -> datetime:
    """Return the database's time at this moment, aware UTC."""
    if is_postgres(connection):
        now: datetime = connection.execute(POSTGRES_NOW).scalar_one()
        return now.astimezone(UTC)
    return datetime.fromisoformat(connection.execute(SQLITE_NOW).scalar_one())
