"""`orchestrator up`: everything on one machine, its ready line, what it restarts, and its end."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.acceptance.command_line import END_WITHIN_S, Machine, kill
from tests.cluster import wait_until

pytestmark = [pytest.mark.acceptance]

SMALL = """
workflow: {name: small}
tasks:
  - {name: only, type: shell, run: "echo said"}
"""


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """Give an empty machine; whatever a test leaves there is ended."""
    directory = tmp_path / "work"
    directory.mkdir()
    machine = Machine(home=tmp_path / "home", directory=directory)
    yield machine
    for process in machine.processes():
        process.kill()


def test_ready_line_names_what_runs(machine: Machine) -> None:
    """One JSON line when everything accepts work; the processes that it names live, and end with it."""
    with machine.up() as ready:
        pids = [*ready["pids"]["master"], *ready["pids"]["worker"], ready["pids"]["redis"]]
        assert ready["ready"] is True
        assert ready["api_url"] is None
        assert ready["database_url"] == f"sqlite:///{machine.home / 'orchestrator.db'}"
        assert ready["redis_url"]
        assert all(psutil.pid_exists(pid) for pid in pids)

    assert machine.processes() == []


def test_submitted_runs_are_carried_out_and_can_be_looked_at(machine: Machine) -> None:
    """`submit`, `runs wait`, `runs logs`, `workers list`, `masters list` and `doctor` of the same home find it."""
    file = machine.write("small.yaml", SMALL)
    with machine.up():
        submitted = machine.json("submit", file)
        number = str(submitted["workflow_instance_id"])
        waited = machine.json("runs", "wait", number, "--timeout", "30")
        lines = machine.json("runs", "logs", number)
        workers = machine.json("workers", "list")
        masters = machine.json("masters", "list")
        findings = machine.json("doctor")

    assert submitted["created"] is True
    assert waited["state"] == "SUCCESS"
    assert [(line["stream"], line["text"]) for line in lines] == [("stdout", "said")]
    assert [worker["groups"] for worker in workers] == [["default"]]
    assert len(masters) == 1
    assert {finding["level"] for finding in findings} == {"ok"}


def test_killed_master_is_started_again(machine: Machine) -> None:
    """A master that dies is replaced, and work goes on by itself."""
    file = machine.write("small.yaml", SMALL)
    with machine.up() as ready:
        kill(psutil.Process(ready["pids"]["master"][0]))

        submitted = machine.json("submit", file)

        number = str(submitted["workflow_instance_id"])
        assert machine.json("runs", "wait", number, "--timeout", "50")["state"] == "SUCCESS"


def test_killed_up_leaves_no_process_behind(machine: Machine) -> None:
    """`kill -9` of `up`: what it started notices and ends."""
    with machine.start("up", "--json", "--workers", "2") as up:
        assert up.stdout is not None
        assert up.stdout.readline()

        kill(up)

    machine.wait_until_nothing_is_left()


def test_second_up_of_a_home_is_refused(machine: Machine) -> None:
    """One set-up per home: the second is told what to do."""
    with machine.up():
        done = machine.run("up")

    assert done.returncode == 2
    assert "is running already" in done.stderr


def test_up_with_postgres_keeps_runs_there(machine: Machine) -> None:
    """`--postgres` starts a private PostgreSQL, and the other commands of the home use it."""
    file = machine.write("small.yaml", SMALL)
    with machine.up("--postgres") as ready:
        submitted = machine.json("submit", file)
        waited = machine.json("runs", "wait", str(submitted["workflow_instance_id"]), "--timeout", "50")

    assert ready["database_url"].startswith("postgresql")
    assert waited["state"] == "SUCCESS"
    wait_until(lambda: machine.processes() == [], seconds=END_WITHIN_S, what="the end of PostgreSQL")
