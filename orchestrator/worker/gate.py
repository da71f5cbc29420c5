"""Owns the question whether this worker takes an attempt now: not while draining, not when overloaded."""

import os
import time
from collections.abc import Callable

import psutil

from orchestrator.core.event import RejectReason
from orchestrator.errors import OrchestratorError

MEASURE_S = 1.0


class Rejected(OrchestratorError):
    """The hand-over goes back to the master; another worker, or this one later, will do it."""

    def __init__(self, reason: RejectReason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


def load_per_core() -> float:
    """Return the machine's load average of the last minute, per core."""
    return os.getloadavg()[0] / (os.cpu_count() or 1)


def memory_use() -> float:
    """Return the share of the machine's memory that is in use, 0 to 1."""
    return float(psutil.virtual_memory().percent) / 100


class Gate:
    """Lets attempts in, or says why not.

    Args:
        is_draining: Whether the worker is about to stop or was told to take nothing new.
        cpu_limit: Load per core above which attempts are rejected; 0 turns it off.
        memory_limit: Share of memory in use above which attempts are rejected.
        cpu: Measures the load; `memory` measures the memory.
    """

    def __init__(
        self,
        is_draining: Callable[[], bool],
        cpu_limit: float,
        memory_limit: float,
        *,
        cpu: Callable[[], float] = load_per_core,
        memory: Callable[[], float] = memory_use,
    ) -> None:
        self._is_draining = is_draining
        self._cpu_limit = cpu_limit
        self._memory_limit = memory_limit
        self._cpu = cpu
        self._memory = memory
        self._measured_at = float("-inf")
        self._overload = ""

    def check(self) -> None:
        """Return if an attempt may start.

        Raises:
            Rejected: It may not; the reason is DRAINING or OVERLOAD.
        """
        if self._is_draining():
            raise Rejected(RejectReason.DRAINING)
        now = time.monotonic()
        if now - self._measured_at >= MEASURE_S:
            self._overload, self._measured_at = self._measure(), now
        if self._overload:
            raise Rejected(RejectReason.OVERLOAD, self._overload)

    def _measure(self) -> str:
        load = self._cpu() if self._cpu_limit else 0.0
        if load > self._cpu_limit:
            return f"load per core {load:.2f} is above {self._cpu_limit:g}"
        used = self._memory() if self._memory_limit < 1 else 0.0
        if used > self._memory_limit:
            return f"memory use {used:.0%} is above {self._memory_limit:.0%}"
        return ""
