"""A ledger file that test tasks append to: the one witness that is neither database nor Redis."""

import os
import threading
from dataclasses import dataclass
from pathlib import Path
from time import time

PATH_VARIABLE = "TEST_LEDGER"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One attempt's begin or end, as the task itself wrote it."""

    what: str
    run: int
    task: str
    attempt: int
    pid: int
    at: float


def work(  # a task of the tests: its parameters are its arguments
    workflow_instance_id: int, task_name: str, attempt: int, seconds: float = 0.0
) -> dict[str, object]:
    """Write a line, take some time, write another line; the output goes to the tasks behind."""
    write("begin", workflow_instance_id, task_name, attempt)
    threading.Event().wait(seconds)
    write("end", workflow_instance_id, task_name, attempt)
    return {"done_by": task_name}


def write(what: str, run: int, task: str, attempt: int) -> None:
    """Append one line in one system call."""
    line = f"{what} {run} {task} {attempt} {os.getpid()} {time():.6f}\n"
    descriptor = os.open(os.environ[PATH_VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def read(path: Path) -> list[Line]:
    """Return all lines."""
    if not path.exists():
        return []
    fields = (line.split() for line in path.read_text().splitlines())
    return [
        Line(what=what, run=int(run), task=task, attempt=int(attempt), pid=int(pid), at=float(at))
        for what, run, task, attempt, pid, at in fields
    ]
