"""Owns process groups: telling one from a later one of the same number, and ending it for certain."""

import os
import signal

import psutil

TOLERANCE_S = 0.5


def started_at(pid: int) -> float | None:
    """Return when process `pid` started, in seconds since the epoch, or `None` when there is none."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return None


def is_alive(pid: int) -> bool:
    """Tell whether process `pid` runs (one that ended and was not waited for does not)."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def is_same_group(group: int, group_started: float) -> bool:
    """Tell whether `group` is the process group whose leader started at `group_started`.

    A number is not given to a new process while a group of that number lives, so a group without its leader
    is still the old one, unless the machine was started in between.
    """
    if not group_exists(group):
        return False
    leader = started_at(group)
    if leader is None:
        return group_started >= psutil.boot_time() - TOLERANCE_S
    return abs(leader - group_started) < TOLERANCE_S


def group_exists(group: int) -> bool:
    """Tell whether process group `group` has a member."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def signal_group(group: int, number: signal.Signals) -> None:
    """Send signal `number` to every process of `group`; a group that is gone is fine."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return


def kill_group(group: int, group_started: float) -> bool:
    """Kill process group `group` if it is still the one that started then; tell whether it was there."""
    if group == os.getpgrp() or not is_same_group(group, group_started):
        return False
    signal_group(group, signal.SIGKILL)
    return True


def lead_own_group() -> None:
    """Make this process the leader of a group of its own, so that it and what it starts can be ended at once."""
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
