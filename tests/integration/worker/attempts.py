"""Owns callables that the tests' orders name."""

import os
import signal
import subprocess
import sys
import time
from typing import Any

from orchestrator.worker.deferral import Defer


def add(a: int, b: int) -> int:
    """Return the sum, and say so on both streams."""
    print("adding")
    print("to stderr", file=sys.stderr)
    os.write(1, b"by descriptor\n")
    return a + b


def fail() -> None:
    """Fail."""
    raise ValueError("no\nsecond line")


def echo(**values: Any) -> dict[str, Any]:
    """Return the arguments."""
    return values


def defer() -> None:
    """Ask to be called again."""
    raise Defer(7)


def die() -> None:
    """Kill the child that runs this."""
    os.kill(os.getpid(), signal.SIGKILL)


def linger(seconds: float = 60.0) -> None:
    """Take long, in a way that can be interrupted."""
    time.sleep(seconds)


def linger_stubbornly(path: str) -> None:
    """Take long, in a way that cannot be interrupted, with a child process."""
    child = subprocess.Popen(["/bin/sleep", "600"])
    with open(path, "w") as file:
        file.write(str(child.pid))
    while True:
        try:
            time.sleep(600)
        except BaseException:
            continue
