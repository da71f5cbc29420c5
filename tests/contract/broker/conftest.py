"""Fixtures of the broker's contract: every test leaves only keys that expire, or that are documented not to."""

import fnmatch
import random
import time
from collections.abc import Iterator

import pytest
import redis

from orchestrator.broker.keys import WITHOUT_TTL, Keys
from tests.simulation.redis_client import Direct, connect
from tests.simulation.redis_server import SimulatedServer

SERVERS = {"fake": "fake_redis", "real": "redis_client", "simulated": "simulated_redis"}

FAKE_LACKS = {
    "generations": "it has no INFO, so no run id to make a generation for",
    "test_a_wiped_redis_gets_its_groups_back": "reading a stream that is gone is not NOGROUP to it",
}
"""What the imitation cannot do, by the fixture or the test that needs it."""


@pytest.fixture(params=SERVERS)
def client(request: pytest.FixtureRequest, redis_keys: Keys) -> Iterator[redis.Redis]:
    """The imitation, the real server, and the one that simulations run on."""
    if request.param == "fake":
        _skip_what_fake_lacks(request)
    client: redis.Redis = request.getfixturevalue(SERVERS[request.param])
    yield client
    check_ttls(client, redis_keys)


@pytest.fixture
def simulated_redis() -> redis.Redis:
    """A client of an empty simulated server, on real time."""
    return connect(SimulatedServer(time.time, random.Random(7)), Direct(), "client")  # noqa: S311  # no secret


@pytest.fixture
def real_client(redis_client: redis.Redis, redis_keys: Keys) -> Iterator[redis.Redis]:
    """The real server only: for what happens to servers, and for waiting."""
    yield redis_client
    check_ttls(redis_client, redis_keys)


def check_ttls(client: redis.Redis, keys: Keys) -> None:
    """Fail if a key never expires although it is not documented so."""
    for raw in client.scan_iter(f"{keys.prefix}*"):
        name = raw.decode().removeprefix(keys.prefix)
        if client.ttl(raw) == -1:
            assert any(fnmatch.fnmatch(name, pattern) for pattern in WITHOUT_TTL), f"{name} never expires"


def _skip_what_fake_lacks(request: pytest.FixtureRequest) -> None:
    for need in (request.node.originalname, *request.fixturenames):
        if need in FAKE_LACKS:
            pytest.skip(f"fakeredis: {FAKE_LACKS[need]}")
