"""Owns the question who lives: a process that has ended may be listed until somebody asks for its exit status."""

import os

import psutil


def lives(process: psutil.Process) -> bool:
    """Return whether a process has not ended."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def group_lives(group: int) -> bool:
    """Return whether any process of a process group has not ended."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):  # a number that has become somebody else's
        return False
    return any(_group_of(one.pid) == group and lives(one) for one in psutil.process_iter())


def _group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except (ProcessLookupError, PermissionError):
        return None
