"""Owns the supervisor's side of its guests: who is here, what they ask for, and when the last has gone."""

import socket
from collections.abc import Callable, Mapping, Sequence
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
        """Let in who knocks; return its line, or `None` when it showed no token or has said good-bye already."""
        connection, _ = self._listener.accept()
        line = Line(connection)
        documents = line.receive(HELLO_WITHIN_S)
        if not documents or documents[0].get("token") != self._token:
            line.close()
            return None
        self.ever = True
        self._lines.append(line)
        self._relieve()  # the end that the last guest waited for is the new one's to wait for
        wish = {name: value for name, value in documents[0].items() if name != "token"}
        self._take(line, [wish, *documents[1:]])
        return line if line in self._lines else None

    def hear(self, line: Line) -> bool:
        """Take what one guest says; return whether it is still here afterwards.

        Who says good-bye is told that its stay is over: at once, or, the last one, when all has ended. In a
        permanent set-up nobody is the last.
        """
        self._take(line, line.receive(0.0))
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

    def take_leave(self) -> None:
        """Tell the last guest that its stay is over: a line's end alone could be the supervisor's death.

        The end of its line is that of this process: who goes then leaves nothing behind.
        """
        if self._last is not None:
            self._last.send({"over": True})
            self._last.leave_to_the_system()
            self._last = None

    def _relieve(self) -> None:
        if self._last is not None:
            _dismiss(self._last)
            self._last = None

    def _take(self, line: Line, documents: Sequence[Mapping[str, Any]]) -> None:
        for document in documents:
            if document.get("bye"):
                self._let_go(line)
                return
            self._on_wish(document)

    def _let_go(self, line: Line) -> None:
        self._lines.remove(line)
        if self._lines or self._permanent:
            _dismiss(line)
        else:
            self._last = line


def _dismiss(line: Line) -> None:
    line.send({"over": True})
    line.close()
