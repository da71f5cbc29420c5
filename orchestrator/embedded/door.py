"""Owns the supervisor's door: where it listens, who may come in, and the lines that are spoken there."""

import json
import secrets
import socket
from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.embedded.home import Home, read_document, write_private

LONGEST_SOCKET_PATH = 100
"""A Unix socket's path has 107 bytes on Linux and 103 on macOS."""

MOST_BYTES = 65_536
"""No line is longer; who sends more is not one of ours."""


class Line:
    """One connection that carries JSON objects, one a line; never blocks on reading."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._received = b""
        self.closed = False

    def fileno(self) -> int:
        """Return the descriptor, for a selector."""
        return self._connection.fileno()

    def send(self, document: Mapping[str, Any]) -> None:
        """Send one object; a peer that has gone closes the line."""
        try:
            self._connection.sendall(json.dumps(document).encode() + b"\n")
        except OSError:
            self.closed = True

    def receive(self, timeout_s: float) -> list[dict[str, Any]]:
        """Return the objects that came within `timeout_s` seconds; marks the line closed at its end."""
        try:
            self._connection.settimeout(max(timeout_s, 0.0))
            data = self._connection.recv(MOST_BYTES)
        except (TimeoutError, BlockingIOError, InterruptedError):
            return []
        except OSError:
            data = b""
        finally:
            self._connection.settimeout(None)
        if not data or len(self._received) > MOST_BYTES:
            self.closed = True
            return []
        *lines, self._received = (self._received + data).split(b"\n")
        return list(_objects(lines))

    def close(self) -> None:
        """End the connection; the other side reads its end."""
        self.closed = True
        self._connection.close()

    def leave_to_the_system(self) -> None:
        """Let the other side read the end when this process has ended, and not before."""
        self.closed = True
        self._connection.detach()


def open_door(home: Home) -> tuple[socket.socket, str]:
    """Listen, and publish the address and the token in the home; return the listener and the token."""
    token = secrets.token_urlsafe(24)
    path = str(home.socket)
    address: str | list[Any]
    if len(path.encode()) <= LONGEST_SOCKET_PATH:
        home.socket.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        address = path
    else:
        listener = socket.socket(socket.AF_INET)
        listener.bind(("127.0.0.1", 0))
        address = list(listener.getsockname())
    listener.listen(64)
    write_private(home.door, json.dumps({"address": address, "token": token}))
    return listener, token


def knock(home: Home, hello: Mapping[str, Any]) -> Line | None:
    """Return a line to the home's supervisor after saying `hello`, or `None` when nobody opens."""
    sign = read_document(home.door)
    connection = _connect(sign["address"]) if sign is not None else None
    if sign is None or connection is None:
        return None
    line = Line(connection)
    line.send({**hello, "token": sign["token"]})
    return line


def is_open(home: Home) -> bool:
    """Return whether a supervisor listens."""
    sign = read_document(home.door)
    connection = _connect(sign["address"]) if sign is not None else None
    if connection is None:
        return False
    connection.close()
    return True


def _connect(address: Any) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
    try:
        connection.connect(address if isinstance(address, str) else tuple(address))
    except OSError:
        connection.close()
        return None
    return connection


def _objects(lines: list[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            document = json.loads(line)
        except ValueError:
            continue
        if isinstance(document, dict):
            yield document
