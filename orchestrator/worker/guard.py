"""Owns the guard: a tiny program beside a worker's main process that outlives it just long enough to clean up.

Run as `python -I -S -E guard.py PID SPOOL INCARNATION` by the main process PID. When that is gone, every process
group that the spool lists for this incarnation is killed: what python callables started, too, for which there is
no watcher. Standard library only.
"""

import contextlib
import os
import select
import signal
import sqlite3
import sys

WAIT_S = 0.5
GROUPS = "SELECT process_group FROM attempt WHERE incarnation = ? AND process_group IS NOT NULL"


def main(parent: int, spool: str, incarnation: str) -> None:
    """Wait until `parent` is gone, perhaps before this was read, then kill what it ran."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the worker; this ends when that has ended
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _wait_for_the_end_of(parent)
    for group in _groups(spool, incarnation):
        try:
            os.killpg(group, signal.SIGKILL)
        except OSError:
            continue


def _wait_for_the_end_of(parent: int) -> None:
    """Return when `parent` is no longer this process's parent; a pidfd tells at once where there is one."""
    waiting = select.poll()
    if hasattr(os, "pidfd_open"):
        with contextlib.suppress(ProcessLookupError):
            waiting.register(os.pidfd_open(parent), select.POLLIN)
    while os.getppid() == parent:
        waiting.poll(WAIT_S * 1000)


def _groups(spool: str, incarnation: str) -> list[int]:
    try:
        connection = sqlite3.connect(f"file:{spool}?mode=rw", uri=True, timeout=WAIT_S)
        rows = connection.execute(GROUPS, (incarnation,)).fetchall()
        connection.close()
    except sqlite3.Error:
        return []  # the next worker of this name tries again
    return [row[0] for row in rows]


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
