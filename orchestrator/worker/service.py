"""Owns what runs in a worker's main process beside Celery: threads that report, listen, enforce and beat."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from orchestrator.errors import BrokerUnavailable
from orchestrator.worker import guard
from orchestrator.worker.heartbeat import Heartbeat
from orchestrator.worker.predecessor import kill_leftovers
from orchestrator.worker.spool import Spool
from orchestrator.worker.spool_lock import SpoolLock
from orchestrator.worker.ticker import Ticker

log = structlog.get_logger(__name__)

STOP_LIMIT_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a service is made of.

    Attributes:
        tickers: The threads.
        before_start: Called when the pool runs and no message was taken yet.
    """

    worker: str
    incarnation: str
    spool: Spool
    spool_path: Path
    lock: SpoolLock
    heartbeat: Heartbeat
    tickers: Sequence[Ticker]
    before_start: Callable[[], None]


class Service:
    """Runs beside Celery in a worker's main process, whatever the pool is.

    Args:
        parts: What it is made of.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._guard: subprocess.Popen[bytes] | None = None
        self._running = False

    def prepare(self) -> None:
        """End what a predecessor of this name left running. The name is ours: the lock was taken before."""
        kill_leftovers(self._parts.spool, self._parts.incarnation)

    def start(self) -> None:
        """Start the guard and the threads; harmless when they run."""
        if self._running:
            return
        self._running = True
        self._parts.before_start()
        program = [sys.executable, "-I", "-S", "-E", guard.__file__]
        self._guard = subprocess.Popen(
            [*program, str(os.getpid()), str(self._parts.spool_path), self._parts.incarnation],
            stdin=subprocess.DEVNULL,
        )
        for ticker in self._parts.tickers:
            ticker.start()
        log.info("worker.started", worker=self._parts.worker, incarnation=self._parts.incarnation)

    def drain(self) -> None:
        """Give back what comes in from now on, and let the masters see it."""
        self._parts.heartbeat.stopping()
        log.info("worker.draining", worker=self._parts.worker)

    def stop(self) -> None:
        """Stop the threads, sign off and free the name; harmless when it was done."""
        if not self._running:
            return
        self._running = False
        for ticker in self._parts.tickers:
            ticker.stop(STOP_LIMIT_S)
        try:
            self._parts.heartbeat.leave()
        except BrokerUnavailable as error:
            log.warning("worker.leave_failed", error=str(error))
        self._parts.spool.close()
        self._parts.lock.release()
        log.info("worker.stopped", worker=self._parts.worker)


def ask_to_stop() -> None:
    """Ask this worker to shut down warmly, as a person would."""
    os.kill(os.getpid(), signal.SIGTERM)
