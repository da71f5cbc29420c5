"""What the worker's main process does to real programs: endings, leftovers, its name."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.broker import codec
from orchestrator.core.event import TaskResult
from orchestrator.core.status import TaskState
from orchestrator.errors import Conflict
from orchestrator.worker.enforcer import Enforcer
from orchestrator.worker.losses import Losses
from orchestrator.worker.predecessor import kill_leftovers
from orchestrator.worker.process_groups import is_same_group, started_at
from orchestrator.worker.spool import Spool
from orchestrator.worker.spool_lock import SpoolLock
from tests.unit.worker.twins import (
    IDENTITY,
    make_facts,
    make_order,
)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """An empty spool of the incarnation `now`."""
    return Spool(tmp_path / "s.db", "now")


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A program in a process group of its own."""
    program = subprocess.Popen(["/bin/sleep", "60"], start_new_session=True)
    yield program
    program.kill()
    program.wait()


def test_name_is_taken_while_its_owner_lives(tmp_path: Path) -> None:
    """A second process is told who has the name; when the owner is gone it gets it."""
    lock = SpoolLock(tmp_path / "l")
    lock.acquire("w@h")
    code = (
        "import sys; from pathlib import Path; from orchestrator.worker.spool_lock import SpoolLock\n"
        "SpoolLock(Path(sys.argv[1])).acquire('w@h')"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "l")]

    second = subprocess.run(command, capture_output=True, text=True, check=False)
    lock.release()
    third = subprocess.run(command, check=False)

    assert f"already runs here (process {os.getpid()})" in second.stderr
    assert Conflict.__name__ in second.stderr
    assert third.returncode == 0


def test_enforcer_asks_then_kills_the_whole_group(spool: Spool, sleeper: subprocess.Popen[bytes]) -> None:
    """TERM at the deadline, KILL some seconds later."""
    times = iter([100.0, 100.0, 104.0, 106.0])
    enforcer = Enforcer(spool, "now", 5.0, clock=lambda: next(times))
    os.kill(sleeper.pid, signal.SIGSTOP)  # TERM stays pending: the program does not end by it
    os.waitid(os.P_PID, sleeper.pid, os.WSTOPPED | os.WNOWAIT)
    spool.begin(
        make_facts(process_group=sleeper.pid, group_started=started_at(sleeper.pid), deadline=99.0), 0, b""
    )
    enforcer.step()
    assert spool.ending("1:one:1:1") == "timeout"
    enforcer.step()
    assert sleeper.poll() is None

    enforcer.step()

    assert sleeper.wait(5) == -signal.SIGKILL


def test_predecessors_groups_are_killed_before_work_is_taken(
    spool: Spool, sleeper: subprocess.Popen[bytes]
) -> None:
    """The group with the start time that was written down; its report is left to the master."""
    facts = make_facts(incarnation="before", process_group=sleeper.pid, group_started=started_at(sleeper.pid))
    spool.begin(facts, 0, b"")
    threading.Thread(target=sleeper.wait).start()  # reaps it, as init would

    assert kill_leftovers(spool, "now") == 1
    assert sleeper.wait(5) == -signal.SIGKILL
    assert spool.attempts() == []


def test_later_group_of_the_same_number_is_not_killed(spool: Spool, sleeper: subprocess.Popen[bytes]) -> None:
    """Numbers come again; start times do not."""
    facts = make_facts(incarnation="before", process_group=sleeper.pid, group_started=1000.0)
    spool.begin(facts, 0, b"")

    assert kill_leftovers(spool, "now") == 0
    assert sleeper.poll() is None
    assert not is_same_group(2**22 + 7, 1.0)


@pytest.mark.parametrize(
    ("ending", "state", "reason"),
    [
        (None, TaskState.FAILURE, "worker child died: SIGKILL"),
        ("timeout", TaskState.FAILURE, "timeout"),
        ("stop", TaskState.KILLED, "stopped"),
    ],
)
def test_dead_child_is_spoken_for(spool: Spool, ending: str | None, state: TaskState, reason: str) -> None:
    """The main process reports what the child cannot, with the reason for which it was being ended."""
    order, delivered = make_order(), list[int]()
    losses = Losses(IDENTITY, spool, delivered.append, lambda *_: "/log")
    spool.begin(make_facts(order_id=order.id, pid=dead_pid()), 0, b"")
    if ending:
        spool.end_attempt(order.id, ending, 1.0)

    assert losses.report(codec.order_to_message(order, "g"), "SIGKILL")

    event = spool.event(delivered[0])
    assert event is not None
    result = codec.decode(event.payload)
    assert isinstance(result, TaskResult)
    assert (result.state, result.reason, result.log_path) == (state, reason, "/log")


def dead_pid() -> int:
    """Return the number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid
