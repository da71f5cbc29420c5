"""Owns the doctor's checks of Redis and of the Celery broker."""

import socket
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from orchestrator.broker.connection import redis_errors
from orchestrator.broker.transport import check_transport
from orchestrator.errors import BrokerUnavailable
from orchestrator.service.backend import Backend
from orchestrator.service.findings import Finding, error, fine, unreachable, warning
from orchestrator.setting_faults import mask
from orchestrator.store.schema import SLOTS

OLDEST = (7, 0)
DEFAULT_PORTS = {"amqp": 5672, "amqps": 5671, "pyamqp": 5672, "redis": 6379, "rediss": 6379}
CONNECT_S = 3.0
START_REDIS = "start it, or correct ORCHESTRATOR_REDIS_URL"


def check_redis(backend: Backend) -> Iterator[Finding]:
    """Version, persistence and eviction policy."""
    with redis_errors():
        facts: Mapping[str, Any] = backend.redis.info()
    name = facts.get("server_name") or "redis"
    version = str(facts.get("valkey_version") or facts.get("redis_version") or "0")
    yield fine("redis", f"{name} {version} at {mask(backend.settings.redis_url or '')}")
    if _numbers(version) < OLDEST:
        yield error("redis", f"version {version} is too old", "use Redis 7.0 or newer, or Valkey")
    yield _persistence(facts)
    yield _eviction(facts)


def check_broker(backend: Backend) -> Iterator[Finding]:
    """Whether the broker can be reached, be it Redis or another one.

    Raises:
        SettingsError: Celery has nothing that speaks to it.
    """
    url = backend.settings.broker_url
    if url is None or url == backend.settings.redis_url:
        yield _redis_as_broker(backend)
        return
    check_transport(url)
    parts = urlsplit(url)
    port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    if parts.hostname is None or port is None:
        yield fine("broker", f"{mask(url)} (not checked)")
        return
    try:
        socket.create_connection((parts.hostname, port), CONNECT_S).close()
    except OSError as problem:
        yield unreachable("broker", f"{mask(url)}: {problem}", "start it, or correct ORCHESTRATOR_BROKER_URL")
    else:
        yield fine("broker", f"{mask(url)} answers")


def check_streams(backend: Backend) -> Iterator[Finding]:
    """Reports that no master has handled yet, and dead letters."""
    waiting = sum(backend.streams.lag(range(SLOTS)).values())
    if waiting > backend.settings.inbox_limit:
        yield warning("events", f"{waiting} reports wait for a master", "see the masters below")
    else:
        yield fine("events", f"{waiting} waiting")
    dead = len(backend.dead_letters.list())
    if dead:
        yield warning("dead letters", f"{dead}", "orchestrator events dead list")


def _redis_as_broker(backend: Backend) -> Finding:
    try:
        with redis_errors():
            backend.redis.ping()
    except BrokerUnavailable:
        return unreachable("broker", "it is the Redis above, which does not answer", START_REDIS)
    return fine("broker", "the Redis above")


def _persistence(facts: Mapping[str, Any]) -> Finding:
    if facts.get("aof_enabled"):
        return fine("redis persistence", "append-only file")
    return warning(
        "redis persistence",
        "no append-only file: a restart of Redis loses what workers have reported and not spooled",
        "CONFIG SET appendonly yes, and the same in redis.conf",
    )


def _eviction(facts: Mapping[str, Any]) -> Finding:
    policy = facts.get("maxmemory_policy", "noeviction")
    if policy == "noeviction" or not facts.get("maxmemory"):
        return fine("redis eviction", str(policy))
    return error(
        "redis eviction",
        f"{policy}: Redis may throw away reports and claims when its memory is full",
        "CONFIG SET maxmemory-policy noeviction, and the same in redis.conf",
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
