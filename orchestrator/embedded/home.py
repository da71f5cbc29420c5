"""Owns the layout of the embedded home: what stands where, and the lock that only one supervisor holds."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.config import Settings
from orchestrator.errors import SettingsError

PRIVATE_FILE = 0o600
PRIVATE_DIRECTORY = 0o700


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Paths below `$ORCHESTRATOR_HOME`. What is in `run/` belongs to the running set-up and may be deleted.

    Attributes:
        path: The home itself.
    """

    path: Path

    @property
    def run(self) -> Path:
        """Directory of everything that lives only as long as the set-up."""
        return self.path / "run"

    @property
    def lock(self) -> Path:
        """File whose lock the supervisor holds."""
        return self.run / "lock"

    @property
    def door(self) -> Path:
        """File that says where the supervisor listens."""
        return self.run / "supervisor.json"

    @property
    def socket(self) -> Path:
        """The supervisor's Unix socket, where its path is short enough."""
        return self.run / "supervisor.sock"

    @property
    def redis_url_file(self) -> Path:
        """File with the URL of the private Redis."""
        return self.run / "redis.url"

    @property
    def database_url_file(self) -> Path:
        """File with the URL of the set-up's database."""
        return self.run / "database.url"

    @property
    def children(self) -> Path:
        """File with the process ids of the supervisor's children."""
        return self.run / "children.json"

    @property
    def redis(self) -> Path:
        """Directory of the private Redis."""
        return self.path / "redis"

    @property
    def postgres(self) -> Path:
        """Directory of the private PostgreSQL."""
        return self.path / "postgres"

    @property
    def daemon_logs(self) -> Path:
        """Directory of the log files of supervisor, master and workers."""
        return self.path / "logs" / "daemons"

    def prepare(self) -> None:
        """Create the directories; `run/` is readable by its owner only.

        Raises:
            SettingsError: Nothing can be written there.
        """
        with _usable(self.path):
            for directory in (self.path, self.daemon_logs):
                directory.mkdir(parents=True, exist_ok=True)
            self.run.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)

    def redis_url(self) -> str | None:
        """Return the URL of the running private Redis, or `None` when there is none."""
        return self._read_line(self.redis_url_file)

    def database_url(self) -> str | None:
        """Return the URL of the running set-up's database, or `None` when none is running."""
        return self._read_line(self.database_url_file)

    def write_redis_url(self, url: str) -> None:
        """Publish the URL of the private Redis to every program of this user."""
        write_private(self.redis_url_file, url + "\n")

    def write_database_url(self, url: str) -> None:
        """Publish the URL of the set-up's database to every program of this user."""
        write_private(self.database_url_file, url + "\n")

    def forget_door(self) -> None:
        """Remove what leads to the supervisor: nobody may come in any more."""
        for path in (self.door, self.socket):
            path.unlink(missing_ok=True)

    def forget(self) -> None:
        """Remove what says that a set-up is running."""
        self.forget_door()
        for path in (self.redis_url_file, self.database_url_file, self.children):
            path.unlink(missing_ok=True)

    def _read_line(self, path: Path) -> str | None:
        with _usable(self.path), contextlib.suppress(FileNotFoundError):
            return path.read_text().strip() or None
        return None


class HomeLock:
    """The right to be the supervisor of a home; the system takes it back when its holder dies."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Return whether this process holds the lock now; never waits.

        Raises:
            SettingsError: The lock's file cannot be written.
        """
        if self._descriptor is not None:
            return True
        with _usable(self._home.path):
            descriptor = os.open(self._home.lock, os.O_RDWR | os.O_CREAT, PRIVATE_FILE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Give the lock back; does nothing when it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def with_running(settings: Settings) -> Settings:
    """Return the settings with the URLs of the home's running set-up where they name none themselves.

    Raises:
        SettingsError: The home cannot be read.
    """
    home = Home(path=settings.home)
    return settings.model_copy(
        update={
            "redis_url": settings.redis_url or home.redis_url(),
            "database_url": settings.database_url or home.database_url(),
        }
    )


def write_private(path: Path, text: str) -> None:
    """Replace the file at `path` in one step; only its owner can read it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.replace(path)


def read_document(path: Path) -> Mapping[str, Any] | None:
    """Return the JSON object in the file at `path`, or `None` when there is none to be read."""
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None


@contextlib.contextmanager
def _usable(home: Path) -> Iterator[None]:
    """Let what the system has against the home leave as a fault of the setting.

    Raises:
        SettingsError: It is a file, below one, or closed to this user.
    """
    try:
        yield
    except OSError as error:
        raise SettingsError(
            f"ORCHESTRATOR_HOME: '{home}' cannot be the home ({error.strerror}: {error.filename});"
            " name a directory that you may write to"
        ) from None
