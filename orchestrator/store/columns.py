"""Owns the column types that mean the same on SQLite and PostgreSQL."""

from datetime import UTC, datetime

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Integer, types

BigId = BigInteger().with_variant(Integer(), "sqlite")
"""An id; SQLite counts up by itself only in a column that is called INTEGER."""

Json = JSON(none_as_null=True)
"""A JSON document as text, order of keys kept; the engine serialises it with msgspec."""


class UtcDateTime(types.TypeDecorator[datetime]):
    """An aware UTC datetime; SQLite has no time zones and keeps the naive UTC time."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return what the driver stores.

        Raises:
            ValueError: The time is naive.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a naive time cannot be stored: {value}")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the stored time as aware UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)
