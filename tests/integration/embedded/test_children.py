"""Supervised children: start, restart with back-off, end; and what an earlier set-up has left."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from orchestrator.embedded.children import FIRST_BACK_OFF_S, STEADY_AFTER_S, Child, ChildSpec, end_all
from orchestrator.embedded.home import Home
from orchestrator.embedded.launch import Launch
from orchestrator.embedded.leftovers import end_leftovers, remember
from orchestrator.embedded.living import lives
from tests.fixtures.redis import wait_until

PATIENT = ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0))


STUBBORN = """
import signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
sys.stdin.read()
"""

NEVER_S = 1e6
CARELESS = """
import os, subprocess, sys
child = subprocess.Popen(["true"])
os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
print(child.pid, flush=True)
sys.stdin.read()
"""

GUARDED = """
import signal, subprocess, sys
program = [sys.executable, "-c", "import sys, time; sys.stdin.read(); time.sleep(0.3)"]
print(subprocess.Popen(program, stdin=subprocess.PIPE).pid, flush=True)
signal.pause()
"""


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now


@pytest.fixture
def leash() -> Iterator[tuple[int, int]]:
    """Give the two ends of a leash."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def a_child(tmp_path: Path, leash: int, clock: Clock, *module: str) -> Child:
    """Return a child that runs a module of the standard library."""
    spec = ChildSpec(name="w1", role="worker", module=module, directory=tmp_path, ending=PATIENT)
    return Child(spec, leash=leash, log=tmp_path / "w1.log", clock=clock)


def test_child_that_dies_at_once_is_held_back_longer_each_time(
    tmp_path: Path, leash: tuple[int, int]
) -> None:
    """Quick deaths double the pause; what it said last is kept for the message."""
    clock = Clock()
    child = a_child(tmp_path, leash[0], clock, "no_such_module")

    for deaths in (1, 2):
        child.start()
        os.waitid(os.P_PID, child.pid or 0, os.WEXITED | os.WNOWAIT)
        assert child.look()
        assert child.restart_at == clock.now + FIRST_BACK_OFF_S * 2 ** (deaths - 1)

    assert "no_such_module" in child.last_words()


def test_child_that_lived_long_is_started_again_at_once(tmp_path: Path, leash: tuple[int, int]) -> None:
    """A crash after a good time is no sign of a bad start."""
    clock = Clock()
    child = a_child(tmp_path, leash[0], clock, "this")

    child.start()
    os.waitid(os.P_PID, child.pid or 0, os.WEXITED | os.WNOWAIT)
    clock.now += STEADY_AFTER_S + 1

    assert child.look()
    assert child.restart_at == clock.now
    assert not child.look()


def test_children_end_at_the_first_signal_they_heed(tmp_path: Path, leash: tuple[int, int]) -> None:
    """TERM is enough for a server that waits; afterwards nobody lives."""
    children = [a_child(tmp_path, leash[0], Clock(), "http.server", "0") for _ in range(2)]
    for child in children:
        child.start()
    pids = [child.pid or 0 for child in children]

    end_all(children, Clock())

    assert [child.pid for child in children] == [None, None]
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_end_waits_for_what_a_child_has_started_in_its_group(
    tmp_path: Path, leash: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker's guard outlives it by the moment in which it cleans up; then nothing is left."""
    (tmp_path / "guarded.py").write_text(GUARDED)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path), str(Path.cwd()))))
    child = a_child(tmp_path, leash[0], Clock(), "guarded")
    child.start()
    wait_until(lambda: (tmp_path / "w1.log").read_text().endswith("\n"))

    end_all([child], Clock())

    guard = int((tmp_path / "w1.log").read_text())
    assert not any(one.pid == guard and lives(one) for one in psutil.process_iter())


def test_leftovers_of_an_earlier_set_up_are_ended(tmp_path: Path) -> None:
    """What outlives its patience is killed; a later process with the same number is left alone."""
    with subprocess.Popen(
        [sys.executable, "-c", STUBBORN], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as old:
        assert old.stdout is not None
        old.stdout.readline()
        remember(tmp_path / "children.json", [old.pid, os.getpid()])
        namesake = (
            (tmp_path / "children.json").read_text().replace(f'"{os.getpid()}": ', f'"{os.getpid()}": 1')
        )
        (tmp_path / "children.json").write_text(namesake)

        end_leftovers(tmp_path / "children.json", 0.1)

        assert old.poll() is not None


def test_leftover_that_nobody_reaps_has_ended(tmp_path: Path) -> None:
    """Where no `init` asks for exit statuses, dead processes stay listed: nobody waits for those."""
    with subprocess.Popen(
        [sys.executable, "-c", CARELESS], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as careless:
        assert careless.stdout is not None
        dead = int(careless.stdout.readline())
        remember(tmp_path / "children.json", [dead])

        end_leftovers(tmp_path / "children.json", NEVER_S)

        assert psutil.Process(dead).status() == psutil.STATUS_ZOMBIE
        careless.communicate()


def test_supervisor_that_nobody_needs_any_more_ends_before_it_begins(tmp_path: Path) -> None:
    """It was loading its libraries; the home is as it was."""
    launch = Launch(Home(path=tmp_path / "home"))
    assert not launch.has_ended

    launch.drop()

    assert launch.has_ended
    assert not (tmp_path / "home").exists()


def test_child_sees_relative_settings_from_where_its_supervisor_stands(
    tmp_path: Path, leash: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It works in another directory, where `bundles` would be another place."""
    monkeypatch.setenv("ORCHESTRATOR_BUNDLES", "bundles")
    (tmp_path / "show.py").write_text("import os\nprint(os.environ['ORCHESTRATOR_BUNDLES'])\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path), str(Path.cwd()))))
    child = a_child(tmp_path, leash[0], Clock(), "show")

    child.start()

    assert child.wait(30.0)
    assert (tmp_path / "w1.log").read_text().strip() == str(Path.cwd() / "bundles")
