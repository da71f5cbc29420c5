"""Owns the private servers of a set-up: which are missing, their start, revival and end."""

import os
from collections.abc import Callable
from typing import Protocol

import structlog

from orchestrator.embedded.home import Home

log = structlog.get_logger(__name__)


class Server(Protocol):
    """A private server that this process starts as its child."""

    def start(self) -> str:
        """Start it and return its URL; its data is what it was."""
        ...

    def stop(self) -> None:
        """End it."""
        ...

    @property
    def pid(self) -> int | None:
        """Its process id, once started."""
        ...


class Servers:
    """Redis and the database of a set-up, private or given.

    Args:
        home: Where the URLs are published.
        redis: The private Redis, or `None` when `redis_url` is given.
        postgres: The private PostgreSQL, or `None` when `database_url` is given.
        redis_url: URL of a Redis that is there already.
        database_url: URL of a database that is there already (a SQLite file needs no server).
    """

    def __init__(
        self,
        *,
        home: Home,
        redis: Server | None,
        postgres: Server | None,
        redis_url: str | None,
        database_url: str | None,
    ) -> None:
        self._home = home
        self._redis = redis
        self._postgres = postgres
        self._redis_url = redis_url
        self._database_url = database_url

    @property
    def redis_url(self) -> str:
        """URL of the Redis; known after `start`."""
        return self._redis_url or ""

    @property
    def database_url(self) -> str:
        """URL of the database; known after `start`."""
        return self._database_url or ""

    @property
    def pids(self) -> dict[str, int | None]:
        """Process ids of the private servers by name."""
        return {
            "redis": self._redis.pid if self._redis is not None else None,
            "postgres": self._postgres.pid if self._postgres is not None else None,
        }

    def start(self) -> None:
        """Start what is missing."""
        if self._redis is not None:
            self._start_redis(self._redis)
        if self._postgres is not None:
            self._start_postgres(self._postgres)
        else:
            self._home.write_database_url(self.database_url)

    def revive(self) -> bool:
        """Start again what has died; return whether an address has changed by that."""
        before = (self._redis_url, self._database_url)
        if self._redis is not None:
            self._revive(self._redis, self._start_redis)
        if self._postgres is not None:
            self._revive(self._postgres, self._start_postgres)
        return (self._redis_url, self._database_url) != before

    def stop(self) -> None:
        """End the private servers."""
        for server in (self._redis, self._postgres):
            if server is not None:
                server.stop()

    def _revive(self, server: Server, start: Callable[[Server], None]) -> None:
        if has_ended(server.pid):
            log.warning("server.ended", server=type(server).__name__)
            server.stop()
            start(server)

    def _start_redis(self, server: Server) -> None:
        self._redis_url = server.start()
        self._home.write_redis_url(self._redis_url)

    def _start_postgres(self, server: Server) -> None:
        self._database_url = server.start()
        self._home.write_database_url(self._database_url)


def has_ended(pid: int | None) -> bool:
    """Return whether the child `pid` of this process has ended; its exit status stays for its owner."""
    if pid is None:
        return True
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True
