"""Owns the notice board: what the main process tells its pool's children without being asked, in one small file.

The file is mapped into memory: reading the flag before each attempt costs nothing. It also works for pools whose
children are fresh programs instead of forks.
"""

import mmap
from pathlib import Path

OPEN, DRAINING = b"\0", b"\1"
SIZE = 256


class NoticeBoard:
    """The board of one worker: its incarnation, and whether it still takes attempts.

    Args:
        path: The file; `create` writes it, every process of the worker opens it.
    """

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), SIZE)

    @classmethod
    def create(cls, path: Path, incarnation: str) -> "NoticeBoard":
        """Write a new board, for a new start of the main process, and open it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)  # children of the predecessor keep the old file
        path.write_bytes((OPEN + incarnation.encode()).ljust(SIZE, b"\0"))
        return cls(path)

    @property
    def incarnation(self) -> str:
        """Random id of this start of the worker's main process."""
        return self._memory[1:SIZE].rstrip(b"\0").decode()

    @property
    def draining(self) -> bool:
        """Whether attempts are given back instead of started."""
        return self._memory[0:1] == DRAINING

    @draining.setter
    def draining(self, value: bool) -> None:
        self._memory[0:1] = DRAINING if value else OPEN
