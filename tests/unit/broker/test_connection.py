"""The way to Redis: no hidden retries, one kind of error, two spellings of one URL."""

import pytest
import redis

from orchestrator.broker.connection import (
    celery_broker_url,
    longest_block_ms,
    open_redis,
    redis_errors,
    redis_url,
)
from orchestrator.errors import BrokerUnavailable, SettingsError


def test_a_client_never_repeats_a_command_by_itself() -> None:
    """A hidden retry of XREADGROUP would skip the entries whose reply was lost."""
    client = open_redis("redis://127.0.0.1:1/0")

    retry = client.get_retry()

    assert retry is not None
    assert retry.get_retries() == 0


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "unix:///nowhere/redis.sock"])
def test_a_blocking_command_ends_before_its_socket_gives_up(url: str) -> None:
    """Else every quiet second would look like a lost connection."""
    client = open_redis(url, block_s=2.0, answer_timeout_s=5.0)

    assert longest_block_ms(client) == 6_000


def test_a_redis_that_is_away_is_broker_unavailable() -> None:
    """Nobody above this package sees an error of the driver."""
    client = open_redis("unix:///nowhere/redis.sock")

    with pytest.raises(BrokerUnavailable, match="ConnectionError") as caught, redis_errors():
        client.ping()

    assert isinstance(caught.value.__cause__, redis.ConnectionError)


def test_a_url_that_is_not_one_of_redis_is_refused() -> None:
    """A wrong setting is named as such."""
    with pytest.raises(SettingsError, match="redis_url"):
        open_redis("http://example.org")


@pytest.mark.parametrize(
    ("ours", "celery"),
    [
        ("unix://:pw@/run/redis.sock?db=3", "redis+socket://:pw@/run/redis.sock?virtual_host=3"),
        ("unix:///run/redis.sock?db=0", "redis+socket:///run/redis.sock?virtual_host=0"),
        ("redis://:pw@host:6379/2", "redis://:pw@host:6379/2"),
        ("rediss://host:6379/0", "rediss://host:6379/0"),
    ],
)
def test_a_url_is_spelled_for_celery_and_back(ours: str, celery: str) -> None:
    """The two libraries name Unix sockets differently; everything else is left alone."""
    assert celery_broker_url(ours) == celery
    assert redis_url(celery) == ours


def test_a_socket_url_without_a_database_gets_number_zero() -> None:
    """Celery would take the socket's path for the database's name otherwise."""
    assert celery_broker_url("unix:///run/redis.sock") == "redis+socket:///run/redis.sock?virtual_host=0"
