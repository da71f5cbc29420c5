"""Owns the run of a script under the watcher: start, output, end, outputs."""

import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.core.order import Order
from orchestrator.worker import watcher
from orchestrator.worker.executors.environment import script_environment
from orchestrator.worker.executors.port import Finished, TaskFailure, Workplace
from orchestrator.worker.logs import STDERR, STDOUT
from orchestrator.worker.outputs import LIMIT_BYTES, from_texts, parse_file, parse_set_value
from orchestrator.worker.process_groups import signal_group

CHUNK = 1 << 16
DRAIN_S = 1.0
LINE_LIMIT_BYTES = 2 * LIMIT_BYTES
OUTPUT_FILE_LIMIT_BYTES = 2 * LIMIT_BYTES


Conclusion = Callable[[int, Path], Finished]


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What a script is run by.

    Attributes:
        interpreter: Program and arguments, to which the script's path is added; `{scratch}` in them is the
            attempt's own directory.
        files: More files for that directory, by name.
        variables: The environment; `None`: what a shell gets, the parameters among it.
        directory: Where it runs; `None`: what the order's `cwd` names, else a new empty directory.
        conclude: Makes the end of it out of the exit code and the output file; `None`: as for a shell.
    """

    interpreter: Sequence[str]
    files: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] | None = None
    directory: Path | None = None
    conclude: Conclusion | None = None


class ScriptWork:
    """One script, written down and with its watcher already started; the script itself starts with `run`.

    Args:
        order: What to run.
        workplace: Where.
        text: The script.
        program: What runs it.
    """

    def __init__(self, order: Order, workplace: Workplace, text: str, program: Program) -> None:
        self._order = order
        self._log = workplace.log
        self._conclude = program.conclude
        source = source_directory(order, workplace)
        cwd = program.directory or working_directory(order, source, workplace.bundle)
        workplace.scratch.mkdir(parents=True, exist_ok=True)
        self._scratch = Path(tempfile.mkdtemp(dir=workplace.scratch))
        try:
            self._output = self._scratch / "output"
            environment = program.variables
            if environment is None:
                environment = script_environment(
                    order, workplace.environment, self._output, source, workplace.bundle
                )
            self._frame = self._write_down(text, program, cwd, environment)
            self._watcher, self._channel = _start_watcher()
        except BaseException:
            self._clean_up()
            raise

    @property
    def process_group(self) -> int:
        """The watcher's own group, in which the script will run."""
        return self._watcher.pid

    def run(self) -> Finished:
        """Start the script and wait for its end; what it leaves running in its group is killed."""
        try:
            scanner = _SetValueScanner()
            status = self._follow(scanner)
            return self._finish(status, scanner.values)
        finally:
            self._end()

    def discard(self) -> None:
        """End the watcher and remove the scratch directory; nothing was started."""
        self._end()

    def _write_down(
        self, text: str, program: Program, cwd: Path | None, environment: Mapping[str, str]
    ) -> bytes:
        directory = cwd or self._scratch / "work"
        directory.mkdir(exist_ok=True)
        script = self._scratch / "script"
        for name, content in {**program.files, "script": text}.items():
            (self._scratch / name).write_text(content, encoding="utf-8", errors="surrogateescape", newline="")
        self._output.touch()
        argv = [part.replace("{scratch}", str(self._scratch)) for part in program.interpreter]
        try:
            return watcher.frame([*argv, str(script)], str(directory), dict(environment))
        except ValueError as error:
            raise TaskFailure(str(error), error="RefusedParameter") from error

    def _follow(self, scanner: "_SetValueScanner") -> int | None:
        """Pump the output into the log until the script ended; return its wait status, `None` if unknown."""
        self._channel.sendall(self._frame)
        status: int | None = None
        with selectors.DefaultSelector() as selector:
            assert self._watcher.stdout is not None and self._watcher.stderr is not None  # noqa: S101, PT018
            selector.register(self._watcher.stdout.fileno(), selectors.EVENT_READ, STDOUT)
            selector.register(self._watcher.stderr.fileno(), selectors.EVENT_READ, STDERR)
            selector.register(self._channel.fileno(), selectors.EVENT_READ, None)
            until: float | None = None
            while selector.get_map():
                ready = selector.select(None if until is None else max(0.0, until - time.monotonic()))
                if not ready and until is not None:
                    break  # something that left the group still holds the pipe
                for key, _ in ready:
                    data = os.read(key.fd, CHUNK)
                    if key.data is None:
                        status = int(data) if data else None
                        signal_group(self._watcher.pid, signal.SIGKILL)
                        until = time.monotonic() + DRAIN_S
                    elif data:
                        self._take(str(key.data), data, scanner)
                    if key.data is None or not data:
                        selector.unregister(key.fd)
        scanner.end()
        return status

    def _take(self, stream: str, data: bytes, scanner: "_SetValueScanner") -> None:
        self._log.append(stream, data)
        if stream == STDOUT:
            scanner.feed(data)

    def _finish(self, status: int | None, printed: Mapping[str, str]) -> Finished:
        if status is None:
            raise TaskFailure("the script's watcher was killed", error="SIGKILL")
        exit_code = os.waitstatus_to_exitcode(status)
        if exit_code < 0:
            name = signal_name(-exit_code)
            raise TaskFailure(f"killed by {name}", error=name, exit_code=exit_code)
        if self._conclude is not None:
            return self._conclude(exit_code, self._output)
        if exit_code > 0:
            raise TaskFailure(f"exit code {exit_code}", error=str(exit_code), exit_code=exit_code)
        try:
            texts = {**printed, **parse_file(_read_limited(self._output))}
            return Finished(outputs=from_texts(texts, self._order.outputs), exit_code=0)
        except TaskFailure as failure:
            raise TaskFailure(failure.reason, error=failure.error, exit_code=0) from failure

    def _end(self) -> None:
        self._channel.close()
        signal_group(self._watcher.pid, signal.SIGKILL)
        self._watcher.wait()
        for pipe in (self._watcher.stdout, self._watcher.stderr):
            if pipe is not None:
                pipe.close()
        self._clean_up()

    def _clean_up(self) -> None:
        shutil.rmtree(self._scratch, ignore_errors=True)


def source_directory(order: Order, workplace: Workplace) -> Path | None:
    """Return the directory of the definition's file on this worker, or `None` when neither side names one."""
    if workplace.source_dir is not None:
        return workplace.source_dir
    return Path(order.source_dir) if order.source_dir else None


def working_directory(order: Order, source: Path | None, bundle: Path | None = None) -> Path | None:
    """Return the directory that the order's `cwd` names, else the bundle's, or `None` when it has neither.

    Raises:
        TaskFailure: It does not exist on this worker, or is relative to nothing.
    """
    cwd: str | None = order.spec.get("cwd")
    if cwd is None:
        return bundle
    source = bundle or source
    if source is None and not Path(cwd).is_absolute():
        raise TaskFailure(
            f"cwd '{cwd}' is relative to the definition's directory, which is unknown here: "
            "set ORCHESTRATOR_SOURCE_DIR on this worker",
            error="NoSuchDirectory",
        )
    directory = Path(source or "/", cwd)
    if not directory.is_dir():
        raise TaskFailure(f"cwd '{directory}' is no directory on this worker", error="NoSuchDirectory")
    return directory


def signal_name(number: int) -> str:
    """Return a signal's name (`SIGKILL`), or `signal 77` for one without."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _start_watcher() -> tuple[subprocess.Popen[bytes], socket.socket]:
    ours, theirs = socket.socketpair()
    with theirs:
        program = [sys.executable, "-I", "-S", "-E", watcher.__file__, str(theirs.fileno())]
        return subprocess.Popen(
            program,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
        ), ours


def _read_limited(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(OUTPUT_FILE_LIMIT_BYTES + 1)
    except FileNotFoundError:
        return ""
    if len(data) > OUTPUT_FILE_LIMIT_BYTES:
        raise TaskFailure(
            f"outputs too large: the output file has more than {LIMIT_BYTES} bytes", error="InvalidOutput"
        )
    return data.decode("utf-8", "replace")


class _SetValueScanner:
    """Finds `${setValue(name=value)}` lines in what is read piece by piece."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self._rest = b""

    def feed(self, data: bytes) -> None:
        if b"\n" not in data:
            self._keep(self._rest + data)
            return
        *lines, rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._scan(line)
        self._keep(rest)

    def end(self) -> None:
        self._scan(self._rest)

    def _keep(self, rest: bytes) -> None:
        self._rest = rest if len(rest) <= LINE_LIMIT_BYTES else b""

    def _scan(self, line: bytes) -> None:
        if b"{setValue(" in line:
            found = parse_set_value(line.decode("utf-8", "replace"))
            if found is not None:
                self.values[found[0]] = found[1]
