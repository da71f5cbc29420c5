"""Owns the start of a supervisor: its process loads its libraries at once and begins when it is told to."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from orchestrator.embedded.door import is_open
from orchestrator.embedded.home import Home
from orchestrator.setting_paths import for_children

GO = b"go\n"


class Launch:
    """A supervisor that is being started. Whoever lets it go unused leaves nothing behind; `drop` does so at once.

    Args:
        home: The home it will supervise; it is not touched before `go`.
    """

    def __init__(self, home: Home) -> None:
        with _output(log_of(home)) as output:
            self._popen = subprocess.Popen(
                [sys.executable, "-P", "-m", "orchestrator.cli", "supervise"],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env={**for_children(os.environ), "ORCHESTRATOR_HOME": str(home.path)},
                cwd="/",
                start_new_session=True,
            )

    @property
    def has_ended(self) -> bool:
        """Whether the process is no more."""
        return self._popen.poll() is not None

    def go(self) -> None:
        """Let it begin."""
        if self._popen.stdin is not None:
            with contextlib.suppress(BrokenPipeError), self._popen.stdin as word:
                word.write(GO)

    def drop(self) -> None:
        """End it before it was told to begin: it has touched nothing yet."""
        self._popen.kill()
        self._popen.communicate()


def warm_up(home: Home) -> Launch | None:
    """Return a supervisor that loads its libraries, unless one listens already."""
    return None if is_open(home) else Launch(home)


def wait_for_go() -> bool:
    """Return whether this supervisor shall begin; not if its starter thought better."""
    return sys.stdin.buffer.readline() == GO


def write_to_log(home: Home) -> None:
    """Send everything that this process prints from now on to the supervisor's log."""
    home.prepare()
    with log_of(home).open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)


def log_of(home: Home) -> Path:
    """Return the supervisor's log file."""
    return home.daemon_logs / "supervisor.log"


@contextmanager
def _output(log: Path) -> Iterator[BinaryIO | int]:
    if not log.parent.is_dir():
        yield subprocess.DEVNULL
        return
    with log.open("ab") as output:
        yield output
