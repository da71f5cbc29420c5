"""`orchestrator run` on an empty machine, with real processes: what it prints, how it ends, what it leaves."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.command_line import END_WITHIN_S, Machine, kill
from tests.cluster import wait_until

pytestmark = [pytest.mark.acceptance]

SMALL = """
workflow: {name: small, params: {n: 20}}
tasks:
  - {name: first, type: shell, run: 'echo "rows=$n" >> "$ORCHESTRATOR_OUTPUT"', outputs: {rows: integer}}
  - {name: second, type: shell, run: 'echo "double=$((rows * 2))" >> "$ORCHESTRATOR_OUTPUT"', needs: [first]}
"""

FAILING = """
workflow: {name: failing}
tasks:
  - {name: breaks, type: shell, run: "echo what went wrong >&2; exit 3"}
"""

PYTHON = """
from orchestrator import shell, workflow

@workflow
def tiny():
    shell("one", 'echo rows=3 >> "$ORCHESTRATOR_OUTPUT"')

if __name__ == "__main__":
    print(tiny.run())
"""

WRONG = """
workflow: {name: wrong}
tasks:
  - {name: one, type: shell, run: "true", retrys: 2}
"""

WAITING = """
workflow: {name: waiting, params: {door: ""}}
tasks:
  - {name: wait, type: shell, run: 'touch "$door.began"; until [ -e "$door" ]; do sleep 0.1; done'}
"""


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """Give an empty machine; whatever a test leaves there is ended."""
    directory = tmp_path / "work"
    directory.mkdir()
    machine = Machine(home=tmp_path / "home", directory=directory)
    yield machine
    machine.end()


def test_runs_share_a_home_one_after_the_other_and_leave_nothing_behind(machine: Machine) -> None:
    """One command on an empty machine: one JSON document, exit code 0, no process left."""
    document = machine.json("run", machine.write("small.yaml", SMALL), "-p", "n=21")

    assert document["state"] == "SUCCESS"
    assert document["outputs"] == {"double": 42}
    assert [task["state"] for task in document["tasks"]] == ["SUCCESS", "SUCCESS"]
    assert machine.processes() == []

    failed = machine.run("run", machine.write("failing.yaml", FAILING))

    assert failed.returncode == 1
    assert failed.stdout == ""
    assert "exit code 3" in failed.stderr
    assert "what went wrong" in failed.stderr
    assert [run["state"] for run in machine.json("runs", "list")] == ["FAILURE", "SUCCESS"]
    assert machine.processes() == []


def test_run_of_a_python_workflow_shows_what_the_command_shows(machine: Machine) -> None:
    """`WORKFLOW.run()`: each change of a task, the outputs, and how it ended; nothing is left running."""
    script = machine.directory / "tiny.py"
    script.write_text(PYTHON)

    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=machine.directory,
        env=machine.environment(),
        capture_output=True,
        text=True,
        timeout=END_WITHIN_S,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["rows = 3", "<Handle id=1 workflow='tiny' state='SUCCESS'>"]
    assert "starting what is missing in" in done.stderr
    assert "RUNNING    one" in done.stderr or "SUCCESS    one" in done.stderr
    assert "tiny run 1: SUCCESS in" in done.stderr
    assert machine.processes() == []


def test_bad_file_ends_with_2_and_starts_nothing(machine: Machine) -> None:
    """The fault is named with file and line, and the machine is as empty as before."""
    done = machine.run("run", machine.write("wrong.yaml", WRONG), "--json")

    assert done.returncode == 2
    assert done.stdout == ""
    assert "wrong.yaml:4" in done.stderr
    assert "retries" in done.stderr
    assert "Traceback" not in done.stderr
    assert not machine.home.exists()


def test_named_redis_that_does_not_answer_ends_with_3_at_once(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing could work without it: the message names the place, and nothing is started or waited for."""
    arguments = ("run", machine.write("small.yaml", SMALL))
    environment = {**machine.environment(), "ORCHESTRATOR_REDIS_URL": "redis://localhost:1"}
    monkeypatch.setattr(Machine, "environment", lambda _self: environment)

    done = machine.run(*arguments)

    assert done.returncode == 3
    assert "localhost:1" in done.stderr
    machine.wait_until_nothing_is_left()


def test_killed_run_leaves_no_process_behind(machine: Machine) -> None:
    """`kill -9` of the only run: supervisor, servers, master, worker and the running task end by themselves."""
    door = machine.directory / "door"
    with machine.start("run", machine.write("waiting.yaml", WAITING), "-p", f"door={door}", "--json") as run:
        wait_until(Path(f"{door}.began").exists, seconds=END_WITHIN_S, what="the start of the task")

        kill(run)

        machine.wait_until_nothing_is_left()


def test_second_run_joins_the_first_and_outlives_it(machine: Machine) -> None:
    """Two runs share one set-up; it stays while one of them needs it."""
    door = machine.directory / "door"
    with machine.start(
        "run", machine.write("waiting.yaml", WAITING), "-p", f"door={door}", "--json"
    ) as first:
        wait_until(Path(f"{door}.began").exists, seconds=END_WITHIN_S, what="the start of the task")
        supervisor = machine.supervisor()

        second = machine.json("run", machine.write("small.yaml", SMALL))

        assert second["state"] == "SUCCESS"
        assert machine.supervisor() == supervisor
        door.touch()
        assert json.loads(first.communicate(timeout=END_WITHIN_S)[0])["state"] == "SUCCESS"
        assert machine.processes() == []


def test_killed_supervisor_is_replaced_and_the_run_goes_on(machine: Machine) -> None:
    """`kill -9` of the supervisor: its children end, the run starts another, and the workflow ends SUCCESS."""
    door = machine.directory / "door"
    with machine.start("run", machine.write("waiting.yaml", WAITING), "-p", f"door={door}", "--json") as run:
        wait_until(Path(f"{door}.began").exists, seconds=END_WITHIN_S, what="the start of the task")

        kill(machine.supervisor())
        door.touch()

        assert json.loads(run.communicate(timeout=END_WITHIN_S)[0])["state"] == "SUCCESS"
        assert machine.processes() == []


def test_interrupted_run_stops_the_workflow_first(machine: Machine) -> None:
    """Ctrl-C: the task is killed, the run ends STOPPED, exit code 130, nothing is left."""
    door = machine.directory / "door"
    with machine.start("run", machine.write("waiting.yaml", WAITING), "-p", f"door={door}", "--json") as run:
        wait_until(Path(f"{door}.began").exists, seconds=END_WITHIN_S, what="the start of the task")

        run.send_signal(signal.SIGINT)
        document = json.loads(run.communicate(timeout=END_WITHIN_S)[0])

        assert run.returncode == 130
        assert document["state"] == "STOPPED"
        assert [task["state"] for task in document["tasks"]] == ["KILLED"]
        assert machine.processes() == []


def test_home_with_a_long_path_works_too(tmp_path: Path) -> None:
    """Where a Unix socket's path would be too long, loopback ports take its place."""
    home = tmp_path / ("long" * 20) / ("path" * 10)
    machine = Machine(home=home, directory=tmp_path)

    document = machine.json("run", machine.write("small.yaml", SMALL))

    assert document["state"] == "SUCCESS"
    assert machine.processes() == []
