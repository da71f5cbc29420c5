"""Owns following a run: show it again and again until it ends, and carry Ctrl-C to it."""

import signal
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from orchestrator.cli.live import LastLine, View
from orchestrator.service import runs
from orchestrator.service.backend import Backend
from orchestrator.worker.logs import attempt_log_path

FRAME_S = 0.12
TAIL_BYTES = 2048
BUSY_SHARE = 4
"""A run whose document takes long to read is read less often: reading must not load the database."""


class Interruptions:
    """Counts Ctrl-C while it is entered; the second one leaves at once. Only a program's main thread hears it."""

    def __init__(self) -> None:
        self.count = 0
        self._before: Any = None

    def __enter__(self) -> Self:
        """Take over SIGINT."""
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give SIGINT back."""
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1
        if self.count > 1:
            raise KeyboardInterrupt


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """How a run is followed.

    Attributes:
        pause: Waits so many seconds at most, doing what else there is to do.
        clock: Monotonic seconds.
        on_interrupt: Called once, at the first Ctrl-C.
        interruptions: Counts Ctrl-C; entered by the caller, who knows from when on it is to be passed on.
    """

    pause: Callable[[float], Any]
    clock: Callable[[], float]
    on_interrupt: Callable[[], None]
    interruptions: Interruptions


def follow(
    backend: Backend, workflow_instance_id: int, view: View, watch: Watch
) -> tuple[dict[str, Any], bool]:
    """Show a run until it ends.

    Returns:
        The last document, and whether Ctrl-C was pressed.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed twice.
    """
    asked = False
    with view:
        while True:
            began = watch.clock()
            document, has_ended = runs.look(backend, workflow_instance_id)
            view.show(document)
            if has_ended:
                return document, asked
            if watch.interruptions.count and not asked:
                asked = True
                watch.on_interrupt()
            watch.pause(max(FRAME_S, BUSY_SHARE * (watch.clock() - began)))


def last_line_reader(logs: Path, workflow_instance_id: int) -> LastLine:
    """Return what reads the last line that an attempt of a run has written so far."""

    def last_line(task: Mapping[str, Any]) -> str:
        path = attempt_log_path(logs, workflow_instance_id, task["name"], task["attempt"])
        lines = _tail(path).splitlines()
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    return last_line


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - TAIL_BYTES, 0))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""
