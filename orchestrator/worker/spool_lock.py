"""Owns the lock file of a spool: one live worker per name."""

import fcntl
import os
from pathlib import Path

from orchestrator.errors import Conflict


class SpoolLock:
    """Held from `acquire` until the process that acquired it ends; forked children do not hold it.

    Args:
        path: The lock file; it holds the owner's process id, for the message to the second one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def acquire(self, worker: str) -> None:
        """Take the lock for the worker named `worker`.

        Raises:
            Conflict: Another live worker has this name.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise Conflict(
                f"a worker named '{worker}' already runs here (process {owner}); "
                "stop it, or start this one with another name (-n NAME@%h)"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._file = descriptor

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
