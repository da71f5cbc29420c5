"""Owns overload protection: when the master takes no new START; reports are always handled."""

from collections.abc import Callable

import psutil
import structlog

log = structlog.get_logger(__name__)


def machine_load() -> float:
    """Return the one-minute load average per core."""
    return psutil.getloadavg()[0] / (psutil.cpu_count() or 1)


def memory_use() -> float:
    """Return the share of memory in use, 0 to 1."""
    return float(psutil.virtual_memory().percent) / 100


class Overload:
    """Says whether new runs may start, and counts refusals.

    Args:
        inbox_use: Share of the inbox in use, 0 to 1.
        cpu_limit: Load per core above which nothing starts; 0 switches this off.
        memory_limit: Memory use, 0 to 1, above which nothing starts; 1 switches this off.
        load: Reads the machine's load per core.
        memory: Reads the machine's memory use.
    """

    def __init__(
        self,
        inbox_use: Callable[[], float],
        cpu_limit: float,
        memory_limit: float,
        load: Callable[[], float] = machine_load,
        memory: Callable[[], float] = memory_use,
    ) -> None:
        self._inbox_use = inbox_use
        self._cpu_limit = cpu_limit
        self._memory_limit = memory_limit
        self._load = load
        self._memory = memory
        self.refused = 0
        self.reason: str | None = None

    def look(self) -> str | None:
        """Return why nothing may start now, or `None`; log when that changes."""
        reason = self._reason()
        if reason != self.reason:
            log.warning("master.overloaded" if reason else "master.no_longer_overloaded", reason=reason)
        self.reason = reason
        return reason

    def _reason(self) -> str | None:
        if self._cpu_limit and self._load() > self._cpu_limit:
            return "cpu"
        if self._memory_limit < 1.0 and self._memory() > self._memory_limit:
            return "memory"
        return "inbox" if self._inbox_use() > 0.8 else None  # noqa: PLR2004  leave room for reports
