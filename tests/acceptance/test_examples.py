"""Every example runs on real processes, ends as it says it does, and the audit's report is right."""

import csv
import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path
from threading import Thread
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.acceptance.command_line import Machine

EXAMPLES = Path(__file__).parents[2] / "examples"
RUN_WITHIN_S = 50
SERVER = "http://server"
"""Stands for the address of the server that the examples' requests go to."""

TOKEN = "a-token-for-the-examples"
NOT_WORKFLOWS = {"package_audit_steps.py"}

pytestmark = [pytest.mark.acceptance]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """How an example ends.

    Attributes:
        state: Final state of the run.
        arguments: Added to the command line.
        outputs: Outputs of the run that must be there.
        states: States of the tasks' attempts, in order of the attempts; tasks not named ended SUCCESS.
    """

    state: str = "SUCCESS"
    arguments: tuple[str, ...] = ()
    outputs: Mapping[str, Any] = field(default_factory=dict)
    states: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


SMALL = {
    "hello.yaml": Expected(arguments=("-p", "name=Ada")),
    "chain.yaml": Expected(outputs={"answer": 42}),
    "diamond.yaml": Expected(outputs={"total": 7}),
    "retry.yaml": Expected(states={"flaky": ("FAILURE", "FAILURE", "SUCCESS")}),
    "timeout.yaml": Expected(outputs={"attempt": 2}, states={"hangs_once": ("FAILURE", "SUCCESS")}),
    "triggers.yaml": Expected(
        state="FAILURE", states={"fetch": ("FAILURE",), "quiet": ("SKIPPED",), "both": ()}
    ),
    "parameters.yaml": Expected(
        arguments=("-p", "region=us", "-p", 'shops=["north", "south"]'),
        outputs={"text": "2 shops in us, limit 2, code 007"},
    ),
    "placeholders.yaml": Expected(),
    "switch.yaml": Expected(states={"nothing": ("SKIPPED",), "in_parts": ("SKIPPED",)}),
    "conditions.yaml": Expected(states={"mirror": ("FAILURE",), "publish": ("SKIPPED",)}),
    "approval.yaml": Expected(outputs={"text": "later, says nobody"}),
    "dependent.yaml": Expected(states={"sources_are_in": ("FAILURE",), "fresh": ("SKIPPED",)}),
    "queue_timeout.yaml": Expected(states={"on_a_big_machine": ("FAILURE",)}),
    "check.yaml": Expected(states={"load": ("FAILURE", "SUCCESS")}, outputs={"rows": 2}),
    "map.yaml": Expected(outputs={"text": "north 10, south 11, west 12"}),
    "sub_workflow.yaml": Expected(outputs={"text": "3 orders in Lyon."}),
    "bundle.yaml": Expected(outputs={"text": "2 orders from Lyon, 42 in all"}),
    "cache.yaml": Expected(outputs={"same": True}),
    "continue.yaml": Expected(state="FAILURE", states={"breaks": ("FAILURE",), "behind": ()}),
    "end.yaml": Expected(state="FAILURE", states={"breaks": ("FAILURE",), "slow": ("KILLED",), "behind": ()}),
    "recover.yaml": Expected(state="FAILURE", states={"load": ("FAILURE",), "report": ()}),
    "child_by_hand.yaml": Expected(
        arguments=("-p", "seconds=0.1"), state="FAILURE", states={"books": ("FAILURE",), "report": ()}
    ),
    "delay.yaml": Expected(),
    "disabled.yaml": Expected(states={"validate": ()}),
    "scripts.yaml": Expected(),
    "sql.yaml": Expected(arguments=("-p", "city=Lyon"), outputs={"orders": 2}),
    "http.yaml": Expected(arguments=("-p", f"server={SERVER}"), outputs={"status": 200}),
    "secrets.yaml": Expected(outputs={"shown": "******"}),
    "schedules.yaml": Expected(),
    "serial.yaml": Expected(arguments=("-p", "seconds=0.1")),
    "hold.yaml": Expected(arguments=("-p", "seconds=0.1")),
    "environments.yaml": Expected(outputs={"region": "eu", "bucket": "s3://staging-eu"}),
    "pools.yaml": Expected(arguments=("-p", "seconds=0.1"), outputs={"text": "3 orders, 2 shops, 1 refunds"}),
    "alerts.yaml": Expected(state="FAILURE", states={"load": ("FAILURE",)}),
    "python_task.py": Expected(arguments=("-p", "limit=50")),
}
AUDITS = ("package_audit.yaml", "package_audit.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """One package audit that has ended.

    Attributes:
        directory: Where its report is.
        document: What `run --json` printed.
    """

    directory: Path
    document: Mapping[str, Any]


@pytest.fixture(scope="module", params=AUDITS)
def audit(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Audit:
    """Run a package audit as the README says, on a machine where nothing runs yet."""
    machine, directory = _machine(tmp_path_factory.mktemp("home")), tmp_path_factory.mktemp("report")
    document = machine.json("run", str(EXAMPLES / request.param), "-p", f"report_dir={directory}")
    return Audit(directory=directory, document=document)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Keep one set-up running, so that examples only have to be handed in."""
    machine = _machine(tmp_path_factory.mktemp("home"))
    with machine.up():
        machine.json("environments", "set", "staging", "REGION=eu", "BUCKET=s3://staging")
        machine.json("pools", "set", "warehouse", "2")
        yield machine


def test_every_example_is_run_here() -> None:
    """A new example must say in this module how it ends."""
    present = {path.name for suffix in ("*.yaml", "*.py") for path in EXAMPLES.glob(suffix)}

    assert present - NOT_WORKFLOWS == {*SMALL, *AUDITS}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """URL of a server of the examples' own files."""
    handler = partial(SimpleHTTPRequestHandler, directory=EXAMPLES)
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=http.serve_forever, name="files", daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}"
    http.shutdown()
    http.server_close()


@pytest.mark.parametrize("name", SMALL)
def test_example_ends_as_it_says(name: str, machine: Machine, server: str) -> None:
    """The run's state, the attempts of each task and the outputs are the expected ones."""
    expected = SMALL[name]
    arguments = [one.replace(SERVER, server) for one in expected.arguments]

    document = _submitted(machine, name, *arguments, exit_code=int(expected.state != "SUCCESS"))

    states: dict[str, tuple[str, ...]] = {}
    for one in document["tasks"]:
        states[one["name"]] = (*states.get(one["name"], ()), one["state"])
    assert document["state"] == expected.state
    assert states == dict.fromkeys(states, ("SUCCESS",)) | {
        task: attempts for task, attempts in expected.states.items() if attempts
    }
    assert expected.outputs.items() <= document["outputs"].items()


def test_delay_example_waits(machine: Machine) -> None:
    """The delayed task starts no earlier than its delay allows."""
    document = _submitted(machine, "delay.yaml")

    assert _task(document, "later")["outputs"]["waited"] >= 2


def test_placeholders_example_writes_dates_of_the_planned_time(machine: Machine) -> None:
    """Dates are those of the planned time in the workflow's zone."""
    document = _submitted(machine, "placeholders.yaml")

    planned = datetime.fromisoformat(document["planned_time"]).astimezone(ZoneInfo("Europe/Paris"))
    outputs = _task(document, "dates")["outputs"]
    assert outputs["today"] == planned.strftime("%Y-%m-%d")
    assert outputs["yesterday"] == (planned - timedelta(days=1)).strftime("%Y-%m-%d")
    assert outputs["file"] == planned.strftime("/data/%Y/%m/orders-%Y%m%d.csv")


def test_alerts_example_tells_its_command_when_the_run_is_over(tmp_path: Path) -> None:
    """`run` ends only after its alerts were handed out: each once, as JSON."""
    document = _machine(tmp_path).json("run", str(EXAMPLES / "alerts.yaml"), code=1)

    told = (tmp_path / "alerts.jsonl").read_text().splitlines()
    assert sorted(json.loads(one)["event"] for one in told) == ["task_failure", "workflow_failure"]
    assert {json.loads(one)["workflow_instance_id"] for one in told} == {document["id"]}


def test_package_audit_agrees_with_importlib_metadata(audit: Audit) -> None:
    """CSV, SQLite file and Markdown report hold what `importlib.metadata` says of this environment."""
    truth = {_canonical(one.metadata["Name"]): one.version for one in metadata.distributions()}
    with (audit.directory / "packages.csv").open(newline="") as stream:
        rows = {row["name"]: row for row in csv.DictReader(stream)}
    assert {package: row["version"] for package, row in rows.items()} == truth
    assert int(rows["click"]["files"]) == _files("click")
    assert rows["click"]["licence"] == "BSD-3-Clause"
    assert _sums(audit.directory / "audit.sqlite") == (
        len(truth),
        sum(int(row["lines"]) for row in rows.values()),
    )
    assert f"{len(truth)} packages, " in (audit.directory / "report.md").read_text()
    assert audit.document["outputs"]["packages"] == len(truth)
    assert audit.document["outputs"]["report"] == str(audit.directory / "report.md")
    assert not list(audit.directory.glob("*.json"))


def test_package_audit_fans_out_and_retries(audit: Audit) -> None:
    """At least 12 tasks, six shards at the same time, one task that needed its second attempt.

    All shards are with a worker before the first of them ends; how many children a busy machine lets run in the
    tenths of a second that a shard takes is the machine's, so two that overlap are enough.
    """
    attempts = audit.document["tasks"]
    shards = [one for one in attempts if one["name"].startswith("measure_")]
    database = [one["state"] for one in attempts if one["name"] == "database"]
    assert len({one["name"] for one in attempts}) >= 12
    assert len(shards) == 6
    first_end = min(one["ended_at"] for one in shards)
    assert max(one["dispatched_at"] for one in shards) < first_end
    assert sum(one["started_at"] < first_end for one in shards) > 1
    assert database == ["FAILURE", "SUCCESS"]


def _submitted(machine: Machine, name: str, *arguments: str, exit_code: int = 0) -> dict[str, Any]:
    """Submit one example to the running set-up, wait for its end, and return what `runs wait --json` printed."""
    answer = machine.json("submit", str(EXAMPLES / name), *arguments)
    wait = ("runs", "wait", str(answer["workflow_instance_id"]), "--timeout", str(RUN_WITHIN_S))
    document: dict[str, Any] = machine.json(*wait, code=exit_code)
    return document


def _machine(home: Path) -> Machine:
    """Return a machine with what the examples ask for in its settings."""
    settings = {
        "ORCHESTRATOR_CONNECTION_SHOP": f"sqlite:///{home / 'shop.db'}",
        "ORCHESTRATOR_SECRET_API_TOKEN": TOKEN,
        "ORCHESTRATOR_BUNDLES": str(EXAMPLES / "bundles"),
        "ORCHESTRATOR_ALERT_NOTEBOOK": f"tee -a {home / 'alerts.jsonl'}",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    (work := home / "work").mkdir()
    return Machine(home=home, directory=work, settings=settings)


def _task(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in document["tasks"] if one["name"] == name and one["current"])


def _canonical(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _files(package: str) -> int:
    listed = metadata.files(package) or ()
    return sum(Path(str(one.locate())).is_file() for one in listed)


def _sums(database: Path) -> tuple[int, int]:
    connection = sqlite3.connect(database)
    try:
        row = connection.execute("SELECT count(*), sum(CAST(lines AS INTEGER)) FROM package").fetchone()
    finally:
        connection.close()
    return (row[0], row[1])
