"""Fixtures of the broker's contract: every test leaves only keys that expire, or that are documented not to."""

import fnmatch
from collections.abc import Iterator

import pytest
import redis

from orchestrator.broker.keys import WITHOUT_TTL, Keys


@pytest.fixture(params=["fake", "real"])
def client(request: pytest.FixtureRequest, redis_keys: Keys) -> Iterator[redis.Redis]:
    """The imitation, then the real server."""
    client: redis.Redis = request.getfixturevalue("fake_redis" if request.param == "fake" else "redis_client")
    yield client
    check_ttls(client, redis_keys)


@pytest.fixture
def real_client(redis_client: redis.Redis, redis_keys: Keys) -> Iterator[redis.Redis]:
    """The real server only: for scripts, and for what happens to servers."""
    yield redis_client
    check_ttls(redis_client, redis_keys)


def check_ttls(client: redis.Redis, keys: Keys) -> None:
    """Fail if a key never expires although it is not documented so."""
    for raw in client.scan_iter(f"{keys.prefix}*"):
        name = raw.decode().removeprefix(keys.prefix)
        if client.ttl(raw) == -1:
            assert any(fnmatch.fnmatch(name, pattern) for pattern in WITHOUT_TTL), f"{name} never expires"
