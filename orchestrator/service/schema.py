"""Owns the use cases of the database's schema: bring it up to date, take it back, name it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from orchestrator.config import Settings
from orchestrator.store import migrate
from orchestrator.store.session import open_engine


def upgrade(settings: Settings) -> str | None:
    """Bring the schema up to date; return its revision.

    Raises:
        StoreUnavailable: The database did not answer.
    """
    with _engine(settings) as engine:
        migrate.upgrade(engine)
        return migrate.current(engine)


def downgrade(settings: Settings, revision: str, *, force: bool) -> str | None:
    """Take the schema back; return its revision, `None` when nothing is left.

    Raises:
        Conflict: A master works on it, and `force` was not given.
        StoreUnavailable: The database did not answer.
    """
    with _engine(settings) as engine:
        migrate.downgrade(engine, revision, force=force)
        return migrate.current(engine)


def current(settings: Settings) -> str | None:
    """Return the schema's revision, `None` for an empty database.

    Raises:
        StoreUnavailable: The database did not answer.
    """
    with _engine(settings) as engine:
        return migrate.current(engine)


@contextmanager
def _engine(settings: Settings) -> Iterator[Any]:
    engine = open_engine(settings.database, "migration", connect_timeout_s=settings.connect_timeout_seconds)
    try:
        yield engine
    finally:
        engine.dispose()
