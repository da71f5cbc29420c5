"""Fixtures around real workers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.broker.connection import open_redis
from orchestrator.embedded.redis import PrivateRedis
from tests.integration.worker.stage import Stage


@pytest.fixture
def stage(redis_server: PrivateRedis, tmp_path: Path) -> Iterator[Stage]:
    """An empty stage for one test that treats its workers badly."""
    yield from stage_of(redis_server, tmp_path)


@pytest.fixture(scope="module")
def served(redis_server: PrivateRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A stage with one worker that all tests of a module share."""
    for one in stage_of(redis_server, tmp_path_factory.mktemp("home")):
        one.start_worker()
        yield one


def stage_of(server: PrivateRedis, home: Path) -> Iterator[Stage]:
    """Give an empty stage; its workers end with it."""
    server.start()
    with open_redis(server.url) as client:
        client.flushall()
    stage = Stage(home, server.url)
    yield stage
    stage.close()
