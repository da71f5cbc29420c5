"""Owns what an earlier set-up may have left running: whose processes they were, and their end."""

import json
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import psutil

from orchestrator.embedded.home import read_document, write_private
from orchestrator.embedded.living import lives

LAST_WAIT_S = 2.0
LOOK_S = 0.01


def remember(path: Path, pids: Iterable[int]) -> None:
    """Write down who is running; the start time tells a process from a later one with the same number."""
    born = {str(pid): created for pid in pids if (created := _created(pid)) is not None}
    write_private(path, json.dumps(born))


def end_leftovers(path: Path, patience_s: float) -> None:
    """Wait until the remembered processes have ended by themselves; kill those that outlive `patience_s`."""
    born = read_document(path) or {}
    living = [one for pid, created in born.items() if (one := _find(int(pid), created)) is not None]
    stubborn = _outlasting(living, patience_s)
    for process in stubborn:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    _outlasting(stubborn, LAST_WAIT_S)


def _outlasting(processes: Sequence[psutil.Process], seconds: float) -> Sequence[psutil.Process]:
    """Return those that live still after so many seconds; none as soon as all have ended."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while (processes := [one for one in processes if lives(one)]) and time.monotonic() < deadline:
        pause.wait(LOOK_S)
    return processes


def _find(pid: int, created: float) -> psutil.Process | None:
    """Return the process that was created then; it may be just ending, as all of a dead supervisor's do."""
    try:
        process = psutil.Process(pid)
        return process if process.create_time() == created else None
    except psutil.NoSuchProcess:
        return None


def _created(pid: int) -> float | None:
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return None
