"""Alerts of real masters: delivered whatever crashes, twice only after a crash between sending and noting."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.authoring.load import load_text
from orchestrator.service.diagnosis import diagnose
from tests.cluster import Cluster, temporary_cluster, wait_until

pytestmark = pytest.mark.acceptance

CRASHED = 137
FAILING = """
workflow:
  name: fails
  alerts:
    - {command: notebook, events: [workflow_failure]}
    - {command: broken, events: [workflow_failure]}
tasks:
  - {name: a, type: switch, cases: [{when: "false", then: [b]}]}
  - {name: b, type: noop, needs: [a]}
"""
PROGRAM = """
import os, sys
with open(sys.argv[1], "a") as file:
    file.write(os.environ["ORCHESTRATOR_IDEMPOTENCY_KEY"] + " " + sys.stdin.read())
"""


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    """Where the command target writes what it is told."""
    return tmp_path / "notebook"


@pytest.fixture
def cluster(tmp_path: Path, notebook: Path) -> Iterator[Cluster]:
    """PostgreSQL and Redis, and two targets, one of which takes nothing."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    settings = {
        "ORCHESTRATOR_ALERT_NOTEBOOK": f"{sys.executable} {program} {notebook}",
        "ORCHESTRATOR_ALERT_BROKEN": "false",
        "ORCHESTRATOR_LEASE_SECONDS": "2",
    }
    with temporary_cluster(settings) as started:
        yield started


def told(notebook: Path) -> list[str]:
    """Return the keys that were told; each line is whole, and its message names the same key."""
    lines = notebook.read_text().splitlines() if notebook.exists() else []
    split = [line.split(" ", 1) for line in lines]
    assert all(json.loads(message)["key"] == key for key, message in split)
    return [key for key, _ in split]


@pytest.mark.parametrize(("point", "times"), [("alerts.after_told", 1), ("alerts.after_sent", 2)])
def test_a_master_that_dies_beside_a_delivery_is_taken_over(
    cluster: Cluster, notebook: Path, point: str, times: int
) -> None:
    """Only the one that died after sending and before noting causes a repeat, under the same key.

    The other target, which takes nothing, holds up nobody, and the doctor names it.
    """
    (definition,) = load_text(FAILING, "fails.yaml")
    run = cluster.submit(cluster.deploy(definition))
    doomed = cluster.start_master("doomed", ORCHESTRATOR_CRASH_AT=point)
    wait_until(lambda: doomed.poll() is not None, seconds=30, what=f"the master crashed at {point}")
    assert doomed.returncode == CRASHED
    cluster.processes.pop("doomed")

    cluster.start_master()

    wait_until(lambda: len(told(notebook)) == times, seconds=30, what="the alert was told")
    named = "command:broken did not arrive"
    wait_until(
        lambda: any(named in finding.message for finding in diagnose(cluster.backend.settings)),
        seconds=30,
        what="the doctor names the broken target",
    )
    cluster.stop("master")
    assert told(notebook) == [f"workflow_failure:{run}:1:"] * times
