"""Kept outputs, tasks paused by name and the pruning of old runs over the command line, with real processes."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.command_line import Machine
from tests.acceptance.test_up import a_machine
from tests.cluster import wait_until

pytestmark = [pytest.mark.acceptance]

KEPT = """
workflow: {name: kept, params: {n: 1}}
tasks:
  - {name: work, type: shell, cache: true, run: 'echo "id=$$" >> "$ORCHESTRATOR_OUTPUT"', outputs: {id: integer}}
  - {name: after, type: shell, needs: [work], params: {id: "${work.id}"}, run: 'test "$id" -gt 0'}
"""
HELD = """
workflow: {name: held}
tasks:
  - {name: first, type: approval}
  - {name: second, type: shell, needs: [first], run: "true"}
  - {name: beside, type: shell, needs: [first], run: "true"}
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Keep one `up` running."""
    machine = a_machine(tmp_path_factory.mktemp("cache"))
    with machine.up():
        yield machine


def submitted(machine: Machine, *arguments: str) -> str:
    """Submit a run; return its id."""
    return str(machine.json("submit", *arguments)["workflow_instance_id"])


def ended(machine: Machine, number: str) -> dict[str, Any]:
    """Wait for the end of a run; return its document."""
    document: dict[str, Any] = machine.json("runs", "wait", number, "--timeout", "50")
    return document


def work_of(document: dict[str, Any]) -> dict[str, Any]:
    """Return the attempt of the cached task."""
    found: dict[str, Any] = next(one for one in document["tasks"] if one["name"] == "work")
    return found


def states(machine: Machine, number: str) -> dict[str, str]:
    """Return the states of a run's tasks."""
    return {one["name"]: one["state"] for one in machine.json("runs", "show", number)["tasks"]}


def test_the_same_work_is_done_once_until_it_is_forgotten(machine: Machine) -> None:
    """Equal inputs take the outputs of the run before; others, and a cleared cache, work again."""
    path = machine.write("kept.yaml", KEPT)
    first = work_of(ended(machine, source := submitted(machine, path)))
    second = work_of(ended(machine, submitted(machine, "kept")))
    other = work_of(ended(machine, submitted(machine, "kept", "-p", "n=2")))

    assert second["reason"] == f"from cache of run {source}"
    assert (second["outputs"], second["worker"], second["state"]) == (first["outputs"], None, "SUCCESS")
    assert (other["reason"], other["worker"] is None) == (None, False)
    assert machine.json("cache", "clear", "kept", "--task", "work") == {"cleared": 2}
    assert work_of(ended(machine, submitted(machine, "kept")))["reason"] is None


def test_a_task_that_is_paused_by_name_is_held_and_explained(machine: Machine) -> None:
    """The rest of the run goes on; the run ends when the task was resumed."""
    path = machine.write("held.yaml", HELD)
    machine.run("deploy", path)
    number = submitted(machine, "held")
    wait_until(lambda: states(machine, number) == {"first": "RUNNING"}, seconds=40, what="the approval")
    assert machine.json("runs", "pause", number, "--task", "second")[0]["task"] == "second"
    machine.json("runs", "signal", number, "first")

    held = {"first": "SUCCESS", "second": "PAUSED", "beside": "SUCCESS"}
    wait_until(lambda: states(machine, number) == held, seconds=40, what="what is held")
    (cause,) = machine.json("runs", "explain", number)
    assert (cause["cause"], cause["remedy"]) == ("held", f"orchestrator runs resume {number} --task second")
    assert machine.json("runs", "resume", number, "--task", "second")[0]["sent"] is True
    assert ended(machine, number)["state"] == "SUCCESS"
    refused = machine.run("runs", "pause", number, "--task", "second")
    assert (refused.returncode, "SUCCESS" in refused.stderr) == (2, True)


def test_pruning_leaves_nothing_of_what_has_ended(machine: Machine) -> None:
    """Runs, logs and kept outputs; beside a master that works."""
    path = machine.write("kept.yaml", KEPT)
    number = submitted(machine, path)
    ended(machine, number)

    done = machine.json("db", "prune", "--older-than", "0s")

    assert done["runs"] >= 1
    assert machine.json("runs", "list") == []
    assert not (machine.home / "logs" / number).exists()
    assert work_of(ended(machine, submitted(machine, "kept")))["reason"] is None
