"""Owns one supervised child process: how it is started, watched, started again, and ended."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.embedded.living import group_lives
from orchestrator.setting_paths import for_children

FIRST_BACK_OFF_S = 0.5
LONGEST_BACK_OFF_S = 30.0
STEADY_AFTER_S = 30.0
"""A child that lived this long has started well: its next start is not held back."""

GROUP_WITHIN_S = 2.0
LOOK_S = 0.01
"""What a child has started in its own process group (a worker's guard, say) notices its end by itself."""

MASTER_ENDING = ((signal.SIGTERM, 8.0), (signal.SIGKILL, 2.0))
WORKER_ENDING = ((signal.SIGTERM, 4.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 2.0))
UNUSED_WORKER_ENDING = ((signal.SIGQUIT, 5.0), (signal.SIGKILL, 2.0))
"""Signals and how many seconds each may take. Celery: TERM lets running tasks end, QUIT kills them, faster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """What a child is.

    Attributes:
        name: `master`, `worker1`, …
        role: `master` or `worker`.
        module: Python module to run, with its arguments.
        environment: Added to the supervisor's own environment.
        directory: Where it works.
        ending: Signals to end it with, and the seconds that each may take.
    """

    name: str
    role: str
    module: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path
    ending: tuple[tuple[int, float], ...]


class Child:
    """One child of the supervisor, on its leash.

    Args:
        spec: What to start.
        leash: Reading end of the pipe that closes when the supervisor dies.
        log: File for its output, or `None` for the supervisor's own.
        clock: Monotonic seconds.
    """

    def __init__(self, spec: ChildSpec, *, leash: int, log: Path | None, clock: Callable[[], float]) -> None:
        self.spec = spec
        self.exit_code: int | None = None
        self._leash = leash
        self._log = log
        self._clock = clock
        self._popen: subprocess.Popen[bytes] | None = None
        self._group: int | None = None
        self._started_at = 0.0
        self._log_begins = 0
        self.quick_deaths = 0
        self.was_ready = False
        self.restart_at: float | None = None

    @property
    def pid(self) -> int | None:
        """Its process id while it lives."""
        return self._popen.pid if self._popen is not None else None

    def start(self) -> None:
        """Start it in a session of its own: a Ctrl-C in the terminal is the supervisor's alone."""
        self.restart_at = None
        self._started_at = self._clock()
        output = self._log.open("ab") if self._log is not None else None
        self._log_begins = output.tell() if output is not None else 0
        try:
            self._popen = subprocess.Popen(
                [
                    sys.executable,
                    "-P",
                    "-m",
                    "orchestrator.embedded.leash",
                    str(self._leash),
                    *self.spec.module,
                ],
                stdin=subprocess.DEVNULL,
                stdout=output if output is not None else sys.stderr,
                stderr=output if output is not None else None,
                env=for_children({**os.environ, **self.spec.environment}),
                cwd=self.spec.directory,
                pass_fds=(self._leash,),
                start_new_session=True,
            )
        finally:
            if output is not None:
                output.close()
        self._group = self._popen.pid

    def look(self) -> bool:
        """Return whether it has just ended; if so, `restart_at` says when it may start again."""
        if self._popen is None or self._popen.poll() is None:
            return False
        self.exit_code, self._popen = self._popen.returncode, None
        now = self._clock()
        self.quick_deaths = 0 if now - self._started_at > STEADY_AFTER_S else self.quick_deaths + 1
        delay = min(FIRST_BACK_OFF_S * 2 ** (self.quick_deaths - 1), LONGEST_BACK_OFF_S)
        self.restart_at = now + (delay if self.quick_deaths else 0.0)
        return True

    def signal(self, number: int) -> None:
        """Send a signal to it; KILL goes to its whole process group."""
        if self._popen is None:
            return
        try:
            if number == signal.SIGKILL:
                os.killpg(self._popen.pid, number)
            else:
                self._popen.send_signal(number)
        except ProcessLookupError:
            return

    def last_words(self) -> str:
        """Return why it says that it ended, where its output is kept: its `error:` line, else its last line."""
        said = reason_in(self._log, self._log_begins) if self._log is not None else ""
        return f"{self.spec.name} ended with exit code {self.exit_code}" + (f": {said}" if said else "")

    def wait(self, seconds: float) -> bool:
        """Return whether it has ended, after waiting at most `seconds`."""
        if self._popen is None:
            return True
        try:
            self.exit_code = self._popen.wait(max(seconds, 0.0))
        except subprocess.TimeoutExpired:
            return False
        self._popen = None
        return True

    def has_company(self) -> bool:
        """Return whether anything lives in its process group: itself, or what it has started there."""
        if self._group is not None and not group_lives(self._group):
            self._group = None
        return self._group is not None


def reason_in(log: Path, begins: int) -> str:
    """Return what the last `error:` line of a log says, or its last line where no such line says anything.

    Args:
        log: The file.
        begins: The byte from which it counts.
    """
    with log.open("rb") as file:
        file.seek(begins)
        lines = [line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    words = (line.partition(":") for line in reversed(lines))
    said = next((rest.strip() for word, _, rest in words if word.lower() == "error" and rest.strip()), None)
    return said or (lines[-1] if lines else "")


def end_all(children: Iterable[Child], clock: Callable[[], float]) -> None:
    """End every child: all get their first signal at once, then each as much time as its ending says.

    Returns when nothing lives in their process groups either.
    """
    living = ended = [child for child in children if child.pid is not None]
    for stage in range(max((len(child.spec.ending) for child in living), default=0)):
        stages = [(child, child.spec.ending[stage]) for child in living if stage < len(child.spec.ending)]
        started = clock()
        for child, (number, _) in stages:
            child.signal(number)
        for child, (_, seconds) in stages:
            child.wait(started + seconds - clock())
        living = [child for child in living if child.pid is not None]
    _wait_for_their_groups(ended, clock)


def _wait_for_their_groups(children: Iterable[Child], clock: Callable[[], float]) -> None:
    deadline, pause = clock() + GROUP_WITHIN_S, threading.Event()
    for child in children:
        while child.has_company() and clock() < deadline:
            pause.wait(LOOK_S)
