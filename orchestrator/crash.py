"""Owns the named crash points: places where a test may end the process to see it recover."""

import os
from collections.abc import Callable
from typing import NoReturn

POINTS = (
    "master.before_decide",
    "master.before_commit",
    "store.before_flush",
    "store.after_flush",
    "store.after_commit",
    "master.after_commit",
    "master.after_acknowledge",
    "master.after_dispatch",
    "alerts.after_told",
    "alerts.after_sent",
    "schedule.before_flush",
    "schedule.after_flush",
    "schedule.after_commit",
    "pool.before_flush",
    "pool.after_flush",
    "pool.after_commit",
    "backfill.after_flush",
    "backfill.after_commit",
    "serial.before_flush",
    "serial.after_flush",
    "serial.after_commit",
    "prune.before_flush",
    "prune.after_flush",
    "prune.after_commit",
    "worker.before_claim",
    "worker.after_claim",
    "worker.after_execute",
    "worker.after_spool",
    "worker.after_send",
)


class _Armed:
    """The one point that is armed in this process, how many passes are left, and who is told of each point."""

    point: str | None = None
    left: int = 0
    observer: Callable[[str], None] | None = None


def arm(setting: str | None) -> None:
    """Arm the point named by `setting` (`name` or `name:N`: the N-th time it is reached); `None` disarms.

    Raises:
        ValueError: The point is unknown or N is not a positive number.
    """
    _Armed.point, _Armed.left = parse(setting) if setting else (None, 0)


def parse(setting: str) -> tuple[str, int]:
    """Return the point that `setting` names, and which time it is reached counts.

    Raises:
        ValueError: The point is unknown or N is not a positive number.
    """
    point, _, count = setting.partition(":")
    if point not in POINTS or (count and (not count.isdecimal() or int(count) < 1)):
        raise ValueError(f"'{setting}' is not <point>[:N]; points: {', '.join(POINTS)}")
    return point, int(count or 1)


def observe(observer: Callable[[str], None] | None) -> None:
    """Have `observer` told every point that is reached; what it raises ends a simulated process there."""
    _Armed.observer = observer


def crash_point(name: str) -> None:
    """End the process with status 137, as `kill -9` would, if `name` is armed and its turn has come."""
    if _Armed.observer is not None:
        _Armed.observer(name)
    if _Armed.point != name:
        return
    _Armed.left -= 1
    if _Armed.left == 0:
        _die()


def _die() -> NoReturn:
    os._exit(137)
