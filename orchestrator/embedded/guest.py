"""Owns a program's stay in a running set-up: it joins, or starts one, and again if it dies."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.embedded.door import Line, knock
from orchestrator.embedded.home import Home
from orchestrator.embedded.launch import Launch, log_of
from orchestrator.embedded.status import Status
from orchestrator.errors import UserError

KNOCK_EVERY_S = 0.01
MOST_LAUNCHES = 4
"""A supervisor that never opens its door so many times in a row will not do so the next time."""


class SetUpFailed(UserError):
    """The embedded servers, the master or the worker could not be started; the message says why."""


class Guest:
    """One program's line to the supervisor of its home.

    Args:
        home: The home.
        wish: What the set-up must offer: `source_dir`, `groups`.
        warm: From `warm_up`, if it was called.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        home: Home,
        wish: Mapping[str, Any],
        warm: Launch | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._home = home
        self._wish = wish
        self._warm = warm
        self._line: Line | None = None
        self._launched: Launch | None = None
        self._launches = 0
        self._was_here = False
        self._clock = clock
        self._pause = threading.Event()
        self.status: Status | None = None

    def step(self, timeout_s: float) -> Status | None:
        """Do one bounded piece of work: join, start a set-up, or hear what it says; return its last word.

        Raises:
            SetUpFailed: The set-up cannot be started.
        """
        if self._line is None:
            self._join()
            return self.status
        for document in self._line.receive(timeout_s):
            self._take(Status.from_document(document))
        if self._line.closed:
            self._line.close()
            self._line, self.status = None, None
        return self.status

    def wait_for(self, enough: Callable[[Status], bool]) -> Status:
        """Return the first status that is `enough`.

        Raises:
            SetUpFailed: The set-up cannot be started.
        """
        while (status := self.step(1.0)) is None or not enough(status):
            continue
        return status

    def leave(self, patience_s: float) -> None:
        """Say good-bye; if nobody else is there, wait until everything has ended, at most `patience_s`.

        A supervisor that was killed meanwhile is replaced: nobody else would end what it has left.
        """
        deadline = self._clock() + patience_s
        while self._was_here and self._clock() < deadline:
            if self._line is None:
                self._join()
            elif self._say_good_bye(self._line, deadline):
                self._was_here = False
            else:
                self._line = None

    def _say_good_bye(self, line: Line, deadline: float) -> bool:
        """Return whether the supervisor has let us go; it has not if it died before all had ended.

        Its line ends with itself where everything does, else at once.
        """
        line.send({"bye": True})
        is_over = any(map(_is_last_word, line.receive(0.0)))  # what was said before nobody heard us any more
        while not line.closed and self._clock() < deadline:
            is_over = any(map(_is_last_word, line.receive(0.5))) or is_over
        line.close()
        return is_over

    def _take(self, status: Status) -> None:
        if status.error:
            self._was_here = False  # it ends by itself
            raise SetUpFailed(status.error)
        self._launches = 0
        self.status = status

    def _join(self) -> None:
        self._line = knock(self._home, self._wish)
        if self._line is not None:
            self._was_here = True
            self._drop_warm()
            return
        if self._launched is None or self._launched.has_ended:
            self._launch()
        self._pause.wait(KNOCK_EVERY_S)

    def _drop_warm(self) -> None:
        """We are another one's guest: who was being started for us would be left for a moment behind our end."""
        if self._warm is not None:
            self._warm.drop()
            self._warm = None

    def _launch(self) -> None:
        if self._launches >= MOST_LAUNCHES:
            self._was_here = False
            raise SetUpFailed(f"the set-up does not start; see {log_of(self._home)}")
        self._launches += 1
        self._was_here = True
        self._launched = self._warm or Launch(self._home)
        self._warm = None
        self._launched.go()


def _is_last_word(document: Mapping[str, Any]) -> bool:
    """Return whether a supervisor that says this needs nobody to end what it has started (old ones say `bye`)."""
    return bool(document.get("over") or document.get("bye") or document.get("error"))
