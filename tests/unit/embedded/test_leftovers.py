"""What an earlier set-up has left, and what has ended while it is looked at."""

import os
from pathlib import Path

import psutil
import pytest

from orchestrator.embedded.leftovers import end_leftovers

BORN = 1000.0


class Ending:
    """A process that is there at the first look, and at no later one."""

    looks = 0

    def __init__(self, pid: int) -> None:
        type(self).looks += 1
        if self.looks > 1:
            raise psutil.NoSuchProcess(pid)
        self.pid = pid

    def create_time(self) -> float:
        """Return when it began."""
        return BORN

    def is_running(self) -> bool:
        """Return that it has ended."""
        return False


def test_leftover_that_ends_while_it_is_looked_at_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The children of a dead supervisor end by themselves in just these seconds."""
    path = tmp_path / "children.json"
    path.write_text(f'{{"{os.getpid()}": {BORN}}}')
    monkeypatch.setattr(psutil, "Process", Ending)

    end_leftovers(path, 0.0)

    assert Ending.looks == 1
