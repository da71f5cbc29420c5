"""`orchestrator up`: everything on one machine, its ready line, what it restarts, and its end."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.acceptance.command_line import Machine, kill
from tests.cluster import ROOT, wait_until

pytestmark = [pytest.mark.acceptance]

EXAMPLES = ROOT / "examples"

SMALL = """
workflow: {name: small}
tasks:
  - {name: only, type: shell, run: "echo said"}
"""


Running = tuple[Machine, dict[str, Any]]


def a_machine(directory: Path) -> Machine:
    """Return an empty machine below `directory`."""
    work = directory / "work"
    work.mkdir()
    return Machine(home=directory / "home", directory=work)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Keep one `up` running for the tests that only use it; its end must leave nothing behind."""
    machine = a_machine(tmp_path_factory.mktemp("up"))
    with machine.up() as ready:
        yield machine, ready
    assert machine.processes() == []


@pytest.fixture
def passable_machine(passable_directory: Path) -> Iterator[Machine]:
    """Give an empty machine where PostgreSQL's user can work; whatever a test leaves there is ended."""
    machine = a_machine(passable_directory)
    yield machine
    machine.end()


def test_ready_line_names_what_runs(running: Running) -> None:
    """One JSON line when everything accepts work; the processes that it names live."""
    machine, ready = running

    pids = [*ready["pids"]["master"], *ready["pids"]["worker"], ready["pids"]["redis"]]

    assert ready["ready"] is True
    assert ready["api_url"] is None
    assert ready["database_url"] == f"sqlite:///{machine.home / 'orchestrator.db'}"
    assert ready["redis_url"]
    assert all(psutil.pid_exists(pid) for pid in pids)


def test_submitted_runs_are_carried_out_and_can_be_looked_at(running: Running) -> None:
    """`submit`, `runs wait`, `runs logs`, `workers list`, `masters list` and `doctor` of the same home find it."""
    machine = replace(running[0], shares_imports=False)  # as a user starts them
    submitted = machine.json("submit", machine.write("small.yaml", SMALL))
    number = str(submitted["workflow_instance_id"])

    waited = machine.json("runs", "wait", number, "--timeout", "30")

    assert submitted["created"] is True
    assert waited["state"] == "SUCCESS"
    lines = machine.json("runs", "logs", number)
    assert [(line["stream"], line["text"]) for line in lines] == [("stdout", "said")]
    assert [worker["groups"] for worker in machine.json("workers", "list")] == [["default"]]
    assert len(machine.json("masters", "list")) == 1
    assert {finding["level"] for finding in machine.json("doctor")} == {"ok"}


def test_second_up_of_a_home_is_refused(running: Running) -> None:
    """One set-up per home: the second is told what to do."""
    machine, _ = running

    done = machine.run("up")

    assert done.returncode == 2
    assert "is running already" in done.stderr


def test_killed_master_is_started_again(running: Running) -> None:
    """A master that dies is replaced, and work goes on by itself."""
    machine, ready = running
    kill(psutil.Process(ready["pids"]["master"][0]))

    submitted = machine.json("submit", machine.write("small.yaml", SMALL))

    number = str(submitted["workflow_instance_id"])
    assert machine.json("runs", "wait", number, "--timeout", "50")["state"] == "SUCCESS"


def test_run_survives_a_killed_master(running: Running, tmp_path: Path) -> None:
    """`kill -9` of the master in the middle of the package audit: SUCCESS, and nothing finished ran again."""
    machine, _ = running
    audit = str(EXAMPLES / "package_audit.yaml")
    number = str(machine.json("submit", audit, "-p", f"report_dir={tmp_path}")["workflow_instance_id"])
    wait_until(lambda: len(ended(machine, number)) >= 3, seconds=30, what="three tasks ended")
    before = ended(machine, number)
    kill(machine.master())

    document = machine.json("runs", "wait", number, "--timeout", "50")

    after = {(one["name"], one["attempt"]): one["ended_at"] for one in document["tasks"]}
    assert document["state"] == "SUCCESS"
    assert len(before) < len(after)
    assert len(after) == 19  # 18 tasks, one of which needs its second attempt
    assert set(before) <= set(after)


def ended(machine: Machine, number: str) -> list[tuple[str, int]]:
    """Return the attempts of a run that have ended, as its database has them."""
    with closing(sqlite3.connect(f"file:{machine.home / 'orchestrator.db'}?mode=ro", uri=True)) as connection:
        query = (
            "SELECT task, attempt FROM task_instance WHERE workflow_instance_id = ? AND ended_at IS NOT NULL"
        )
        found: list[tuple[str, int]] = connection.execute(query, (int(number),)).fetchall()
        return found


def test_killed_up_leaves_no_process_behind(passable_machine: Machine) -> None:
    """`kill -9` of `up`: what it started notices and ends, PostgreSQL too."""
    machine = passable_machine
    with machine.start("up", "--json", "--workers", "2", "--postgres") as up:
        assert up.stdout is not None
        assert up.stdout.readline()

        kill(up)

    machine.wait_until_nothing_is_left()


def test_up_with_postgres_keeps_runs_there(passable_machine: Machine) -> None:
    """`--postgres` starts a private PostgreSQL, and the other commands of the home use it."""
    machine = passable_machine
    file = machine.write("small.yaml", SMALL)
    with machine.up("--postgres") as ready:
        submitted = machine.json("submit", file)
        waited = machine.json("runs", "wait", str(submitted["workflow_instance_id"]), "--timeout", "50")

    assert ready["database_url"].startswith("postgresql")
    assert waited["state"] == "SUCCESS"
    assert machine.processes() == []
