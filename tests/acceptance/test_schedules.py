"""Schedules and backfills with real processes: every second a run, also when the master is killed."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.command_line import Machine, kill
from tests.cluster import wait_until

pytestmark = [pytest.mark.acceptance]

EVERY_SECOND = """
workflow: {name: ticking, schedules: [{cron: "* * * * * *", misfire: all}]}
tasks:
  - {name: tick, type: noop, params: {since: "${data_interval_start}"}}
"""
FILLED = """
workflow: {name: filled}
tasks:
  - name: day
    type: shell
    params: {day: "$[yyyy-MM-dd]", since: "${data_interval_start}"}
    run: |
      echo "day=$day" >> "$ORCHESTRATOR_OUTPUT"
      echo "since=$since" >> "$ORCHESTRATOR_OUTPUT"
      test "$day" != 2026-11-13
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Keep one `up` running for all tests of the module."""
    directory = tmp_path_factory.mktemp("schedules")
    (work := directory / "work").mkdir()
    machine = Machine(home=Path(directory) / "home", directory=work)
    with machine.up():
        yield machine


def planned(machine: Machine, workflow: str = "ticking") -> list[datetime]:
    """Return the planned times of all runs, in order."""
    runs = machine.json("runs", "list", "--workflow", workflow, "--limit", "500")
    return sorted(datetime.fromisoformat(run["planned_time"]) for run in runs)


def test_schedule_of_every_second_has_no_gap_and_no_double_across_a_killed_master(machine: Machine) -> None:
    """`misfire: all`: what no master started, the next one does; paused or offline, nothing starts."""
    machine.json("deploy", machine.write("ticking.yaml", EVERY_SECOND))
    (shown,) = machine.json("schedules", "list")
    wait_until(lambda: len(planned(machine)) >= 3, seconds=30, what="three runs")
    before = len(planned(machine))

    kill(machine.master())
    wait_until(lambda: len(planned(machine)) >= before + 8, seconds=60, what="runs by the next master")
    paused = machine.json("schedules", "pause", str(shown["id"]))

    times = planned(machine)
    assert {later - earlier for earlier, later in pairwise(times)} == {timedelta(seconds=1)}
    assert (paused["paused"], paused["next"]) == (True, None)
    assert len(machine.json("schedules", "next", str(shown["id"]))) == 5
    machine.json("definitions", "offline", "ticking")
    machine.json("schedules", "resume", str(shown["id"]))
    assert machine.json("schedules", "list")[0]["next"] is None
    assert planned(machine) == times


def test_serial_backfill_runs_day_after_day_and_ends_with_the_first_failure(machine: Machine) -> None:
    """The 13th fails: what comes behind it is stopped; each run knows its day and its interval."""
    machine.json("deploy", machine.write("filled.yaml", FILLED))
    serial = ("--max-parallel", "1")

    made = machine.json("backfill", "filled", "--from", "2026-11-11", "--to", "2026-11-15", *serial)
    ids = [str(number) for number in made["workflow_instance_ids"]]
    runs = machine.json("runs", "wait", *ids, "--timeout", "60", code=1)

    assert [run["state"] for run in runs] == ["SUCCESS", "SUCCESS", "FAILURE", "STOPPED", "STOPPED"]
    assert outputs(runs[1]) == {"day": "2026-11-12", "since": "2026-11-11T00:00:00+00:00"}
    assert runs[0]["ended_at"] <= runs[1]["started_at"]


def test_backfill_goes_on_when_the_master_is_killed(machine: Machine) -> None:
    """Two at a time, the latest first: no run is lost or doubled."""
    machine.json("deploy", machine.write("filled.yaml", FILLED))
    order = ("--max-parallel", "2", "--descending")

    made = machine.json("backfill", "filled", "--from", "2026-10-01", "--to", "2026-10-12", *order)
    kill(machine.master())
    ids = [str(number) for number in made["workflow_instance_ids"]]
    runs = machine.json("runs", "wait", *ids, "--timeout", "50")

    assert [run["state"] for run in runs] == ["SUCCESS"] * 12
    assert [outputs(run)["day"][-2:] for run in runs] == [f"{day:02}" for day in range(12, 0, -1)]
    assert max(together(runs)) <= 2


def outputs(run: dict[str, Any]) -> dict[str, Any]:
    """Return the outputs of the one task."""
    found: dict[str, Any] = run["tasks"][-1]["outputs"]
    return found


def together(runs: list[dict[str, Any]]) -> list[int]:
    """Return, for the start of each run, how many ran at that moment."""
    return [
        sum(other["started_at"] <= run["started_at"] < other["ended_at"] for other in runs) for run in runs
    ]
