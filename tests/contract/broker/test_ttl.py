"""The guard of the other tests here: a key that never expires is noticed."""

import pytest
import redis

from orchestrator.broker.keys import Keys
from tests.contract.broker.conftest import check_ttls


def test_a_key_without_ttl_is_noticed(fake_redis: redis.Redis, redis_keys: Keys) -> None:
    """Redis must not fill up with what nobody deletes."""
    fake_redis.set(redis_keys.claim("7:load:1:1"), "w|i|n")

    with pytest.raises(AssertionError, match="claim:7:load:1:1 never expires"):
        check_ttls(fake_redis, redis_keys)


def test_the_documented_exceptions_may_stay(fake_redis: redis.Redis, redis_keys: Keys) -> None:
    """Streams, and the generation."""
    fake_redis.xadd(redis_keys.events(3), {"p": b""})
    fake_redis.xadd(redis_keys.dead(), {"p": b""})
    fake_redis.hset(redis_keys.generation(), "generation", "g")

    check_ttls(fake_redis, redis_keys)
