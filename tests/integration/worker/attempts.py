"""Owns callables that the tests' orders name."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from orchestrator.core.deferral import Defer


def add(a: int, b: int) -> int:
    """Return the sum, and say so on both streams."""
    print("adding")  # noqa: T201 - it must reach the log
    print("to stderr", file=sys.stderr)  # noqa: T201 - the same
    os.write(1, b"by descriptor\n")
    return a + b


def fail() -> None:
    """Fail."""
    raise ValueError("no\nsecond line")


def echo(**values: Any) -> dict[str, Any]:
    """Return the arguments."""
    return values


def echo_loudly(token: str) -> dict[str, str]:
    """Print and return a secret."""
    print(token)  # noqa: T201 - it must not reach the log
    return {"x": token}


def fail_loudly(token: str) -> None:
    """Fail with a secret in the message."""
    raise ValueError(f"bad token {token}")


def defer() -> None:
    """Ask to be called again."""
    raise Defer(7)


def die() -> None:
    """Kill the child that runs this."""
    os.kill(os.getpid(), signal.SIGKILL)


def linger(seconds: float = 60.0) -> None:
    """Take long, in a way that can be interrupted."""
    threading.Event().wait(seconds)


def linger_stubbornly(path: str) -> None:
    """Take long, in a way that cannot be interrupted, with a child process."""
    child = subprocess.Popen(["/bin/sleep", "600"])
    Path(path).write_text(str(child.pid))
    while True:
        with contextlib.suppress(BaseException):
            threading.Event().wait(600)


def start_and_wait(seconds: str) -> None:
    """Start a program from python and wait for it."""
    subprocess.run(["/bin/sleep", seconds], check=False)


def spin() -> None:
    """Take long in bytecode."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        threading.Event().wait(0.01)


def imported() -> list[str]:
    """Return what of the database's library is imported in the worker."""
    return [name for name in sys.modules if name.split(".")[0] in ("sqlalchemy", "psycopg2", "alembic")]
