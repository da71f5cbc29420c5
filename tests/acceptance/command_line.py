"""Owns how acceptance tests use the program: a home of their own, real processes, and who is left behind."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from tests.cluster import wait_until
from tests.programs import Program, Start

END_WITHIN_S = 60.0
PROGRAM = (sys.executable, "-m", "orchestrator.cli")
ERRORS = "errors.log"
STARTERS = ("run", "up")
"""What starts everything that is missing: always begun as users begin it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """An empty machine, as far as the program can tell.

    Attributes:
        home: Its `ORCHESTRATOR_HOME`.
        directory: Where the user works.
        settings: Environment variables that the user has set.
        shares_imports: Whether commands are forks with their imports done, where they start nothing.
    """

    home: Path
    directory: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    shares_imports: bool = True

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        if self.shares_imports and arguments[0] not in STARTERS:
            return self._run_fork(*arguments)
        return subprocess.run(
            [*PROGRAM, *arguments],
            cwd=self.directory,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=END_WITHIN_S,
            check=False,
        )

    def json(self, *arguments: str, code: int = 0) -> Any:
        """Run one command with `--json` and return the one document that it prints."""
        done = self.run(*arguments, "--json")
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start one command; the caller ends it."""
        with (self.directory / ERRORS).open("ab") as errors:
            return subprocess.Popen(
                [*PROGRAM, *arguments],
                cwd=self.directory,
                env=self.environment(),
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    @contextmanager
    def up(self, *arguments: str) -> Iterator[dict[str, Any]]:
        """Keep everything running meanwhile; give what `up` says when it is ready."""
        process = self.start("up", "--json", *arguments)
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, f"`up` ended: {(self.directory / ERRORS).read_text()}"
            yield json.loads(line)
        finally:
            process.terminate()
            process.wait(END_WITHIN_S)
            if process.stdout is not None:
                process.stdout.close()

    def write(self, name: str, text: str) -> str:
        """Write a workflow file and return its name."""
        (self.directory / name).write_text(text)
        return name

    def environment(self) -> dict[str, str]:
        """Return the environment of the user: nothing but the home is set."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")}
        return {**kept, "ORCHESTRATOR_HOME": str(self.home), **self.settings}

    def processes(self) -> list[psutil.Process]:
        """Return every living process of this home, whoever started it."""
        return [one for one in psutil.process_iter() if _belongs_to(one, str(self.home))]

    def wait_until_nothing_is_left(self, seconds: float = 30.0) -> None:
        """Return when no process of this home lives any more."""
        wait_until(
            lambda: not self.processes(), seconds=seconds, what=f"the end of all processes of {self.home}"
        )

    def supervisor(self) -> psutil.Process:
        """Return the supervisor of the set-up that runs."""
        return self._process("supervise")

    def master(self) -> psutil.Process:
        """Return the master of the set-up that runs; one that is just being started again is waited for."""
        return self._process("orchestrator.cli", "master")

    def end(self) -> None:
        """Kill every process of this home."""
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def _process(self, *words: str) -> psutil.Process:
        """Return the process with these words in its command line, as soon as there is one."""
        found: list[psutil.Process] = []

        def is_there() -> bool:
            found[:] = [one for one in self.processes() if set(words) <= set(_command_line(one))]
            return bool(found)

        wait_until(is_there, seconds=END_WITHIN_S, what=" ".join(words))
        return found[0]

    def _run_fork(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        with TemporaryDirectory() as directory:
            start = Start(
                arguments=("orchestrator.cli", *arguments),
                environment=self.environment(),
                directory=self.directory,
                output=Path(directory) / "output",
                errors=Path(directory) / "errors",
            )
            code = Program(start).wait(END_WITHIN_S)
            return subprocess.CompletedProcess(
                arguments, code, start.output.read_text(), start.errors.read_text()
            )


def kill(process: psutil.Process | subprocess.Popen[str]) -> None:
    """End a process as `kill -9` does; whose child it is may hear of it later."""
    process.send_signal(signal.SIGKILL)
    if isinstance(process, subprocess.Popen):
        process.wait(END_WITHIN_S)
    else:
        wait_until(lambda: _has_ended(process), seconds=END_WITHIN_S, what=f"the end of {process.pid}")


def _has_ended(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _command_line(process: psutil.Process) -> list[str]:
    """Return what a process was started with; nothing if it has ended meanwhile, as many do all the time."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _belongs_to(process: psutil.Process, home: str) -> bool:
    try:
        is_dead = process.status() == psutil.STATUS_ZOMBIE
        return not is_dead and process.environ().get("ORCHESTRATOR_HOME") == home
    except psutil.Error:
        return False
