"""Serial workflows on real processes: masters die while turns are passed on, and no chain stands still."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.definition import Execution
from tests.acceptance.command_line import Machine
from tests.cluster import Cluster, temporary_cluster, wait_until
from tests.scenario import definition

pytestmark = pytest.mark.acceptance

CRASHED = 137
POINTS = ("serial.before_flush", "serial.after_flush", "serial.after_commit")

CHAIN = """
workflow: {name: chain, execution: serial_wait}
tasks:
  - {name: waits, type: approval}
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """PostgreSQL, Redis and one worker; each test starts the masters that it kills."""
    with temporary_cluster({"ORCHESTRATOR_LEASE_SECONDS": "2", "ORCHESTRATOR_LOST_SECONDS": "3"}) as started:
        started.start_worker("worker")
        yield started


@pytest.fixture(autouse=True)
def clean(request: pytest.FixtureRequest) -> Iterator[None]:
    """End the masters of a test."""
    yield
    if "cluster" in request.fixturenames:
        cluster: Cluster = request.getfixturevalue("cluster")
        for name in [one for one in cluster.processes if one != "worker"]:
            cluster.stop(name)


@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize("point", POINTS)
def test_chain_goes_on_when_the_master_dies_while_a_turn_is_passed_on(
    cluster: Cluster, point: str, number: int
) -> None:
    """The rows say who is next, or nothing of it happened: one after the other, and no sweep has to mend it."""
    whole = definition(0.02)
    short = replace(whole, name="chain", execution=Execution.SERIAL_WAIT, tasks=whole.tasks[:2])
    definition_id = cluster.deploy(short)
    runs = [cluster.submit(definition_id) for _ in range(4)]
    doomed = cluster.start_master("doomed", ORCHESTRATOR_CRASH_AT=f"{point}:{number}")
    wait_until(lambda: doomed.poll() is not None, seconds=30, what=f"the master crashed at {point}")
    assert doomed.returncode == CRASHED
    cluster.processes.pop("doomed")

    cluster.start_master()

    cluster.wait_for(*runs, seconds=60)
    documents = [cluster.backend.queries.run(run) for run in runs]
    assert one_at_a_time(documents)
    assert cluster.backend.turns.lines() == []


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """Keep an `up` running."""
    (work := tmp_path / "work").mkdir()
    machine = Machine(home=tmp_path / "home", directory=work)
    with machine.up():
        yield machine


def one_at_a_time(documents: list[dict[str, Any]]) -> bool:
    """Return whether each run began after the one before it had ended, in any order."""
    in_order = sorted(documents, key=lambda document: document["started_at"])
    return all(earlier["ended_at"] <= later["started_at"] for earlier, later in pairwise(in_order))


def test_command_line_says_who_has_the_turn(machine: Machine) -> None:
    """A run that waits is WAITING, its place is explained; stop and resume move the chain on."""
    machine.json("deploy", machine.write("chain.yaml", CHAIN))
    ids = [str(machine.json("submit", "chain")["workflow_instance_id"]) for _ in range(3)]
    wait_until(lambda: states(machine, ids) == ["RUNNING", "WAITING", "WAITING"], seconds=30, what="a chain")

    (cause,) = machine.json("runs", "explain", ids[2])[:1]
    assert cause["cause"] == "serial"
    assert f"run {ids[0]} (RUNNING) has it, and 1 run waits before it" in cause["detail"]
    (turns,) = [one for one in machine.json("doctor") if one["check"] == "turns"]
    assert turns["message"] == "2 runs wait in 1 serial workflow; each chain goes on"

    machine.json("runs", "pause", ids[1])
    machine.json("runs", "stop", ids[0])
    wait_until(lambda: states(machine, ids) == ["STOPPED", "PAUSED", "RUNNING"], seconds=30, what="the third")
    machine.json("runs", "resume", ids[1])
    machine.json("runs", "recover", ids[0])
    wait_until(lambda: states(machine, ids) == ["WAITING", "WAITING", "RUNNING"], seconds=30, what="both")
    for number in (ids[2], ids[0], ids[1]):
        begun(machine, number)
        machine.json("runs", "signal", number, "waits")
    ended = machine.json("runs", "wait", *ids, "--timeout", "30")
    assert [run["state"] for run in ended] == ["SUCCESS"] * 3


def begun(machine: Machine, number: str) -> None:
    """Wait until a run is under way."""
    wait_until(lambda: states(machine, [number]) == ["RUNNING"], seconds=30, what=f"run {number} begins")


def states(machine: Machine, ids: list[str]) -> list[str]:
    """Return the states of these runs."""
    return [machine.json("runs", "show", number)["state"] for number in ids]
