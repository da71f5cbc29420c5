"""Fixtures of the master's tests."""

from collections.abc import Iterator

import pytest
import structlog
from sqlalchemy import Engine

from orchestrator.store import migrate
from orchestrator.store.session import open_engine
from tests.world import World


@pytest.fixture(scope="session")
def memory_engine() -> Iterator[Engine]:
    """A migrated SQLite database in memory."""
    engine = open_engine("sqlite://", "master")
    migrate.upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def world(memory_engine: Engine) -> World:
    """A world on an emptied database, with a worker by hand."""
    return World(memory_engine)


@pytest.fixture
def busy_world(memory_engine: Engine) -> World:
    """A world on an emptied database, with a worker that runs what it gets."""
    return World(memory_engine, by_hand=False)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Keep log lines out of the way; restored afterwards."""
    with structlog.testing.capture_logs():
        yield
