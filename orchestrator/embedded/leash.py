"""Owns the leash of a supervised child: the child ends itself when its supervisor has gone.

Run as `python -m orchestrator.embedded.leash DESCRIPTOR MODULE [ARGUMENT]…`. The descriptor is the reading end
of a pipe whose writing end only the supervisor holds; nothing is ever written, so the first byte is the end.
"""

import fcntl
import os
import runpy
import signal
import sys
import threading
from collections.abc import Callable

PATIENCE_S = ((signal.SIGTERM, 4.0), (signal.SIGQUIT, 4.0), (signal.SIGKILL, 0.0))
"""What the child does to itself, and how long it waits for each to work."""


def watch(descriptor: int, end: Callable[[], None]) -> threading.Thread:
    """Start a thread that calls `end` when the other side of the pipe is closed."""

    def wait_for_the_end() -> None:
        while os.read(descriptor, 1):
            pass
        end()

    thread = threading.Thread(target=wait_for_the_end, name="leash", daemon=True)
    thread.start()
    return thread


def end_oneself() -> None:
    """End this process: gracefully, then less so."""
    never = threading.Event()
    for number, seconds in PATIENCE_S:
        os.kill(os.getpid(), number)
        never.wait(seconds)


def main() -> None:
    """Put this process on the leash and run the module that the command line names."""
    descriptor, module = int(sys.argv[1]), sys.argv[2]
    fcntl.fcntl(descriptor, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    watch(descriptor, end_oneself)
    sys.argv = sys.argv[2:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
