"""Fixtures of the invariant tests: a world on each kind of database."""

from collections.abc import Iterator
from typing import Any, Protocol

import pytest
import structlog
from sqlalchemy import Engine, create_engine, text

from orchestrator.embedded.postgres import PrivatePostgres
from orchestrator.store import migrate
from orchestrator.store.session import open_engine
from tests.world import World


class MakeWorld(Protocol):
    """Makes worlds."""

    def __call__(self, **rig: Any) -> World:
        """Return a world on an emptied database: at most one is in use at a time."""
        ...


@pytest.fixture(scope="session")
def sqlite_engine() -> Iterator[Engine]:
    """A migrated SQLite database in memory."""
    engine = open_engine("sqlite://", "master")
    migrate.upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def postgres_engine(postgres_server: PrivatePostgres) -> Iterator[Engine]:
    """A migrated PostgreSQL database of the invariant tests' own."""
    server = create_engine(postgres_server.url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text("CREATE DATABASE invariants TEMPLATE migrated"))
    server.dispose()
    engine = open_engine(postgres_server.url_of("invariants"), "master")
    yield engine
    engine.dispose()


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Engine:
    """One database of each kind."""
    name = "sqlite_engine" if request.param == "sqlite" else "postgres_engine"
    engine: Engine = request.getfixturevalue(name)
    return engine


@pytest.fixture
def make_world(database: Engine) -> MakeWorld:
    """Makes worlds on the database."""

    def make(**rig: Any) -> World:
        return World(database, **rig)

    return make


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """A world on an emptied database."""
    return make_world()


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Keep log lines out of the way; restored afterwards."""
    with structlog.testing.capture_logs():
        yield
