"""Owns the supervisor's side of its guests: who is here, what they ask for, and when the last has gone."""

import socket
from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.embedded.door import Line

HELLO_WITHIN_S = 0.5
"""A guest says who it is at once; who does not is put out, so that it cannot hold the supervisor up."""


class Guests:
    """The programs that use the set-up. Each holds a line; a line's end is its guest's end.

    Args:
        listener: Where they knock.
        token: What they must show.
        on_wish: Called with what a guest asks for.
        permanent: The set-up does not end with its last guest.
    """

    def __init__(
        self,
        listener: socket.socket,
        token: str,
        on_wish: Callable[[Mapping[str, Any]], None],
        *,
        permanent: bool = False,
    ) -> None:
        self._listener = listener
        self._token = token
        self._on_wish = on_wish
        self._permanent = permanent
        self._lines: list[Line] = []
        self._last: Line | None = None
        self.ever = False

    def __len__(self) -> int:
        """How many are here."""
        return len(self._lines)

    @property
    def lines(self) -> tuple[Line, ...]:
        """The open lines, for a selector."""
        return tuple(self._lines)

    def fileno(self) -> int:
        """Return the listener's descriptor, for a selector."""
        return self._listener.fileno()

    def accept(self) -> Line | None:
        """Let in who knocks, and return its line, or `None` when it did not show the token."""
        connection, _ = self._listener.accept()
        line = Line(connection)
        documents = line.receive(HELLO_WITHIN_S)
        if not documents or documents[0].get("token") != self._token:
            line.close()
            return None
        self.ever = True
        self._lines.append(line)
        for wish in documents:
            self._on_wish({name: value for name, value in wish.items() if name != "token"})
        return line

    def hear(self, line: Line) -> bool:
        """Take what one guest says; return whether it is still here afterwards.

        The last guest's line stays open when it says good-bye: it reads the line's end when all has ended. In
        a permanent set-up nobody is the last.
        """
        for wish in line.receive(0.0):
            if wish.get("bye"):
                self._let_go(line)
            else:
                self._on_wish(wish)
        if line.closed and line in self._lines:
            self._lines.remove(line)
        return line in self._lines

    def tell(self, document: Mapping[str, Any]) -> None:
        """Send a document to everybody; who has gone is found out when its line is heard."""
        for line in self._lines:
            line.send(document)

    def close(self) -> None:
        """Let nobody in any more."""
        self._listener.close()

    def _let_go(self, line: Line) -> None:
        self._lines.remove(line)
        line.send({"bye": True})
        if self._lines or self._permanent:
            line.close()
        else:
            self._last = line
