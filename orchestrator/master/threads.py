"""Owns the threads of a daemon: named, watched, stoppable; a service that is away only makes them wait."""

from collections.abc import Callable
from threading import Event, Thread

import structlog

from orchestrator.core.retry import backoff_s
from orchestrator.errors import RetryEvent

log = structlog.get_logger(__name__)


class Worker:
    """Calls one step again and again until it is stopped; if the step has a bug, the whole daemon stops.

    Args:
        name: Name of the thread and of its log lines.
        step: One bounded piece of work; it may raise RetryEvent while a service is away.
        stopping: Set by whoever wants the daemon to stop; set here when the thread dies.
        pause_s: Seconds between two steps; 0 for a step that waits by itself.
        chance: Random numbers in [0, 1).
    """

    def __init__(
        self,
        name: str,
        step: Callable[[], object],
        stopping: Event,
        *,
        pause_s: float = 0.0,
        chance: Callable[[], float],
    ) -> None:
        self.name = name
        self._step = step
        self._stopping = stopping
        self._pause_s = pause_s
        self._chance = chance
        self._thread: Thread | None = None
        self.error: BaseException | None = None

    def start(self) -> None:
        """Start the thread; a second call does nothing."""
        if self._thread is None:
            self._thread = Thread(target=self._run, name=self.name, daemon=True)
            self._thread.start()

    def join(self, timeout_s: float) -> bool:
        """Wait for the thread to end; return whether it has."""
        if self._thread is not None:
            self._thread.join(timeout_s)
        return self._thread is None or not self._thread.is_alive()

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                self._step()
            except RetryEvent as error:
                write = log.warning if failures == 0 else log.debug
                write("service.unavailable", thread=self.name, failures=failures + 1, error=str(error))
                self._stopping.wait(backoff_s(failures, self._chance(), first=0.1, cap=2.0))
                failures += 1
                continue
            except Exception as error:
                log.exception("thread.died", thread=self.name)
                self.error = error
                self._stopping.set()
                return
            if failures:
                log.warning("service.back", thread=self.name, failures=failures)
                failures = 0
            if self._pause_s:
                self._stopping.wait(self._pause_s)
