"""Owns programs that tests start many times: forks of one process that has done their imports already.

A command of the product takes a tenth of a second, and the imports before it most of a second of processor
time. Each program is a process of its own nevertheless, with its own environment, directory, descriptors and exit
code, and the module runs as with `python -m`. Where the start itself is tested, tests start the real thing.
"""

import atexit
import importlib
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path

IMPORTED = "tests.imported"
APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND
TEXT_S = 60.0
"""How long a program of a few lines may take."""


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
            with suppress(ProcessLookupError):  # it is gone before we are told so
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


def run_text(text: str, *arguments: str) -> int:
    """Run a program that is given as its text, with what it finds in `sys.argv`; return its exit code.

    Raises:
        subprocess.TimeoutExpired: It did not end; it has been killed.
    """
    program = _forks().Process(target=_be_text, args=(text, arguments))
    program.start()
    program.join(TEXT_S)
    if program.exitcode is None:
        program.kill()
        raise subprocess.TimeoutExpired(text, TEXT_S)
    return program.exitcode


def start_anew(start: Start) -> subprocess.Popen[bytes]:
    """Start the real thing: a program with its own imports, on no leash."""
    with start.output.open("ab") as output, start.errors.open("ab") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", *start.arguments],
            env=start.environment,
            cwd=start.directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            start_new_session=start.new_session,
        )


def _forks() -> ForkServerContext:
    """Return where programs are forked from; the first one starts it, and it ends with us."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([IMPORTED])  # an ImportError is swallowed: see `_check_imports`
    return context


def _be(start: Start) -> None:
    """Become the program: leave nothing of where we come from but what is imported."""
    if start.new_session:
        os.setsid()
    os.chdir(start.directory)
    os.environ.clear()
    os.environ.update(start.environment)
    time.tzset()
    multiprocessing.current_process().name = "MainProcess"  # as logs show it
    _open(Path(os.devnull), os.O_RDONLY, 0)
    _open(start.output, APPEND, 1)
    _open(start.errors, APPEND, 2)
    _check_imports()
    arguments = list(start.arguments)
    if start.leash is not None:
        arguments = ["orchestrator.embedded.leash", str(start.leash.fileno()), *arguments]
    sys.path[:0] = start.environment.get("PYTHONPATH", "").split(os.pathsep)
    sys.argv[:] = arguments
    try:
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()  # multiprocessing leaves them out


def _be_text(text: str, arguments: Sequence[str]) -> None:
    """Become the program: what it imports of the product is there already."""
    _check_imports()
    sys.argv[1:] = arguments
    exec(compile(text, "<text>", "exec"), {"__name__": "__main__"})  # noqa: S102  as `python -c` does


def _check_imports() -> None:
    """Return if all was imported before the fork; without it programs would only be slow.

    Raises:
        ImportError: Why it was not.
    """
    if IMPORTED not in sys.modules:
        importlib.import_module(IMPORTED)
        raise ImportError(f"{IMPORTED} can be imported here, but was not where programs are forked from")


def _open(path: Path, how: int, descriptor: int) -> None:
    """Let a descriptor mean a file."""
    file = os.open(path, how, 0o600)
    if file != descriptor:  # as when we were started without it
        os.dup2(file, descriptor)
        os.close(file)
