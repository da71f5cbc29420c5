"""Owns the composition of an embedded set-up: what is missing on this machine, and who watches it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import structlog

from orchestrator.config import Settings
from orchestrator.embedded.crew import (
    DEFAULT_GROUP,
    CrewOrder,
    Nobody,
    Others,
    SetUpCrew,
    default_concurrency,
)
from orchestrator.embedded.door import is_open
from orchestrator.embedded.home import Home, HomeLock
from orchestrator.embedded.leftovers import end_leftovers
from orchestrator.embedded.postgres import PrivatePostgres
from orchestrator.embedded.redis import PrivateRedis
from orchestrator.embedded.servers import Servers
from orchestrator.embedded.status import Status
from orchestrator.embedded.supervisor import Supervisor, Surroundings
from orchestrator.errors import UserError
from orchestrator.service.signs import RedisSigns

log = structlog.get_logger(__name__)

ALREADY_SUPERVISED = -1
LOCK_PATIENCE_S = 30.0
LOCK_LOOK_S = 0.02
LEFTOVER_PATIENCE_S = 12.0
MISSED_BEATS = 2
"""Others who have missed so many heartbeats are not counted on; they are not judged lost by that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreground:
    """What `up` asks for besides what a `run` gets.

    Attributes:
        workers: Worker processes for the default group.
        concurrency: Tasks that one worker runs at the same time.
        postgres: Use a private PostgreSQL.
        announce: Called with every new status.
    """

    workers: int
    concurrency: int | None
    postgres: bool
    announce: Callable[[Status], None]


def supervise_home(settings: Settings, foreground: Foreground | None = None) -> int:
    """Run the set-up of the settings' home until nobody needs it.

    Args:
        settings: Where the home is, and which services are there already.
        foreground: For `up`; `None` for the set-up that ends with its last guest.

    Returns:
        The exit code, or `ALREADY_SUPERVISED` when another supervisor has the home.

    Raises:
        UserError: An earlier supervisor neither ends nor answers.
    """
    home = Home(path=settings.home)
    home.prepare()
    lock = HomeLock(home)
    if not _take(lock, home):
        return ALREADY_SUPERVISED
    try:
        end_leftovers(home.children, LEFTOVER_PATIENCE_S)
        home.forget()
        return _supervisor(settings, home, foreground).run()
    finally:
        lock.release()


def _take(lock: HomeLock, home: Home) -> bool:
    """Return whether the lock was taken; an ending supervisor is waited for, a living one is left alone."""
    deadline = time.monotonic() + LOCK_PATIENCE_S
    while not lock.acquire():
        if is_open(home):
            return False
        if time.monotonic() > deadline:
            raise UserError(f"{home.lock} is held by a supervisor that does not answer; end it first")
        time.sleep(LOCK_LOOK_S)
    return True


def _supervisor(settings: Settings, home: Home, foreground: Foreground | None) -> Supervisor:
    return Supervisor(
        home=home,
        servers=_servers(settings, home, postgres=foreground is not None and foreground.postgres),
        surroundings=Surroundings(
            crew=lambda database_url, redis_url: SetUpCrew(
                home,
                _crew_order(settings, foreground),
                _others(settings, redis_url),
                database_url=database_url,
                redis_url=redis_url,
            ),
            signs=lambda redis_url: _signs(settings, redis_url),
            announce=foreground.announce if foreground is not None else _log_status,
            clock=time.monotonic,
        ),
        wishes=() if foreground is None else [_wish_of(settings)],
        logs=None if foreground is not None else home.daemon_logs,
    )


def _wish_of(settings: Settings) -> dict[str, Any]:
    return {"groups": [DEFAULT_GROUP], "source_dir": str(settings.source_dir or Path.cwd())}


def _servers(settings: Settings, home: Home, *, postgres: bool) -> Servers:
    if postgres and settings.database_url:
        raise UserError("--postgres and ORCHESTRATOR_DATABASE_URL contradict each other: name one database")
    return Servers(
        home=home,
        redis=None if settings.redis_url else PrivateRedis(home.redis),
        postgres=PrivatePostgres(home.postgres) if postgres else None,
        redis_url=settings.redis_url,
        database_url=None if postgres else settings.database,
    )


def _crew_order(settings: Settings, foreground: Foreground | None) -> CrewOrder:
    concurrency = foreground.concurrency if foreground is not None else None
    return CrewOrder(
        workers=foreground.workers if foreground is not None else 1,
        suffix=_suffix(settings) if settings.redis_url else "",
        concurrency=concurrency or default_concurrency(),
        log_level=settings.log_level,
        migrate=settings.database_url is None,
        patient=foreground is not None or settings.redis_url is not None,
    )


def _others(settings: Settings, redis_url: str) -> Others:
    """Return who else may do the work: somebody only where both database and Redis are shared."""
    return _signs(settings, redis_url) if _is_shared(settings) else Nobody()


def _signs(settings: Settings, redis_url: str) -> RedisSigns:
    fresh_s = MISSED_BEATS * settings.heartbeat_seconds
    return RedisSigns(redis_url, settings.key_prefix, fresh_s, is_shared=_is_shared(settings))


def _is_shared(settings: Settings) -> bool:
    return settings.redis_url is not None and settings.database_url is not None


def _suffix(settings: Settings) -> str:
    """Return what tells this home's workers from others' on the same Redis."""
    return "-" + sha256(str(settings.home).encode()).hexdigest()[:6]


def _log_status(status: Status) -> None:
    log.info("set_up.status", ready=status.ready, pids=dict(status.pids), error=status.error)
