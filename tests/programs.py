"""Owns programs that tests start many times: forks of one process that has done their imports already.

A command of the product takes a tenth of a second, and the imports before it most of a second of processor
time. Each program is a process of its own nevertheless, with its own environment, directory, descriptors and exit
code, and the module runs as with `python -m`. Where the start itself is tested, tests start the real thing.
"""

import atexit
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a program is told, as `subprocess.Popen` would tell it.

    Attributes:
        arguments: The module, and what comes behind `python -m MODULE`.
        environment: All of it.
        directory: Where it works.
        output: The file that its standard output is appended to.
        errors: The same for its standard error.
        leash: The reading end that `orchestrator.embedded.leash` watches; without one nothing does.
        new_session: Whether it leads a session of its own.
    """

    arguments: Sequence[str]
    environment: Mapping[str, str]
    directory: Path
    output: Path
    errors: Path
    leash: Connection | None = None
    new_session: bool = False


class Program:
    """A program that runs; looks like a `subprocess.Popen`.

    Args:
        start: What it is told.
    """

    def __init__(self, start: Start) -> None:
        self._process = _forks().Process(target=_be, args=(start,))
        self._process.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid or 0

    @property
    def returncode(self) -> int | None:
        """Its exit code, negative for a signal; `None` while it lives."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """Return its exit code; `None` while it lives."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit code when it has ended.

        Raises:
            subprocess.TimeoutExpired: It lives still, after `timeout` seconds.
        """
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(f"program {self.pid}", timeout or 0.0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


def _forks() -> ForkServerContext:
    """Return where programs are forked from; the first one starts it, and it ends with us."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.imported"])
    return context


def _be(start: Start) -> None:
    """Become the program: leave nothing of where we come from but what is imported."""
    if start.new_session:
        os.setsid()
    os.chdir(start.directory)
    os.environ.clear()
    os.environ.update(start.environment)
    for path, descriptor in ((start.output, 1), (start.errors, 2)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, descriptor)
        os.close(file)
    arguments = list(start.arguments)
    if start.leash is not None:
        arguments = ["orchestrator.embedded.leash", str(start.leash.fileno()), *arguments]
    sys.path[:0] = start.environment.get("PYTHONPATH", "").split(os.pathsep)
    sys.argv[:] = arguments
    try:
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()  # multiprocessing leaves them out
