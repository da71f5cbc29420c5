"""Owns the way to Redis: opening clients, translating driver errors, spelling URLs."""

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from orchestrator.errors import BrokerUnavailable, SettingsError

CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 5.0
BLOCK_MARGIN_S = 1.0
"""A blocking command must end this long before its socket gives up."""

SOCKET_SCHEMES = ("redis+socket", "unix")


def open_redis(
    url: str,
    *,
    block_s: float = 0.0,
    answer_timeout_s: float = ANSWER_TIMEOUT_S,
    connect_timeout_s: float = CONNECT_TIMEOUT_S,
    name: str | None = None,
) -> redis.Redis:
    """Return a client that never repeats a command by itself; nothing is connected yet.

    A hidden retry of XREADGROUP would skip the entries whose reply was lost (PROTOCOL section 3).

    Args:
        url: `redis://`, `rediss://`, `unix://` or Celery's `redis+socket://`.
        block_s: The longest that blocking commands of this client will wait, in seconds.
        answer_timeout_s: Seconds to wait for any answer, beyond `block_s`.
        connect_timeout_s: Seconds to wait for a connection.
        name: Shown by CLIENT LIST.

    Raises:
        SettingsError: The URL is not one of Redis.
    """
    options = {"client_name": name} if name else {}
    try:
        return redis.Redis.from_url(
            redis_url(url),
            protocol=2,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=answer_timeout_s + block_s,
            **(
                {}
                if _is_socket(url)
                else {"socket_keepalive": True, "socket_connect_timeout": connect_timeout_s}
            ),
            **options,
        )
    except ValueError as error:
        raise SettingsError(f"redis_url: {error}") from None


def longest_block_ms(client: redis.Redis) -> int:
    """Return for how many milliseconds a command of `client` may block before its socket gives up."""
    timeout_s = client.connection_pool.connection_kwargs.get("socket_timeout")
    if timeout_s is None:
        return 60_000
    return max(int((timeout_s - BLOCK_MARGIN_S) * 1000), 1)


@contextmanager
def redis_errors() -> Iterator[None]:
    """Let every error of the driver leave as BrokerUnavailable: the one place where it is translated."""
    try:
        yield
    except redis.RedisError as error:
        raise BrokerUnavailable(f"Redis: {type(error).__name__}: {error}") from error


def celery_broker_url(url: str) -> str:
    """Return a Redis URL as Celery spells it: Unix sockets are `redis+socket://…?virtual_host=N` there."""
    parts = urlsplit(url)
    return _socket_url("redis+socket", parts, "db", "virtual_host") if parts.scheme == "unix" else url


def redis_url(url: str) -> str:
    """Return a Redis URL as redis-py spells it: Unix sockets are `unix://…?db=N` there."""
    parts = urlsplit(url)
    return _socket_url("unix", parts, "virtual_host", "db") if parts.scheme == "redis+socket" else url


def _socket_url(scheme: str, parts: SplitResult, old: str, new: str) -> str:
    """Return a URL of a Unix socket under another scheme, its database number under another name."""
    query = dict(parse_qsl(parts.query))
    query[new] = query.pop(old, query.get(new, "0"))
    return f"{scheme}://{parts.netloc}{parts.path}?{urlencode(query)}"


def _is_socket(url: str) -> bool:
    return urlsplit(url).scheme in SOCKET_SCHEMES
