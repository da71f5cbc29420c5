"""A secret is planted and searched for: database, all that goes to Redis, logs, files, the command line."""

import base64
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, inspect, text

from orchestrator.authoring.load import load_text
from orchestrator.broker.connection import open_redis
from orchestrator.store.submissions import SubmitRequest
from tests.cluster import Cluster, temporary_cluster, wait_until

pytestmark = pytest.mark.acceptance

PLANTED = "pl4nted-t0ken"
PASSWORD = "p4ssw0rd-of-db"

WORKFLOW = """
workflow:
  name: planted
  params: {start: "", inherited: "secret://token"}
tasks:
  - name: program
    type: shell
    params: {token: "secret://token"}
    run: |
      echo "$token $inherited"
      echo "out=$token" >> "$ORCHESTRATOR_OUTPUT"
      echo "len=${#token}" >> "$ORCHESTRATOR_OUTPUT"
  - {name: script, type: python, params: {t: "secret://token"}, script: 'print(t); assert len(t) == 13'}
  - name: call
    type: python
    call: "ipaddress:ip_address"
    params: {address: "secret://token"}
    retries: 1
  - name: rows
    type: sql
    connection: shop
    params: {t: "secret://token"}
    sql: SELECT ${t} AS token, length(${t}) AS size, 'secret:' || '//token' AS text
    needs: [program]
  - name: passed_on
    type: shell
    params: {text: "${rows.text}", start: "${start}"}
    run: '[ "$text" = "secret://""token" ] && [ "${#start}" = 13 ]'
    needs: [rows]
  - name: refused
    type: http
    url: "http://127.0.0.1:1/${t}"
    params: {t: "secret://token"}
    auth: {basic: {user: me, password: "secret://token"}}
  - name: wrong
    type: sql
    connection: nowhere
    sql: SELECT 1
  - {name: unknown, type: shell, params: {a: "secret://no_such"}, run: echo never}
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """PostgreSQL, Redis, a master that knows no secret, a worker that does."""
    with temporary_cluster() as started:
        started.start_master()
        started.start_worker(
            ORCHESTRATOR_SECRET_TOKEN=PLANTED,
            ORCHESTRATOR_CONNECTION_SHOP="secret://shop",
            ORCHESTRATOR_SECRET_SHOP=f"sqlite:///{started.directory / 'shop.db'}",
            ORCHESTRATOR_CONNECTION_NOWHERE=f"postgresql://me:{PASSWORD}@127.0.0.1:1/none",
        )
        yield started


def test_a_planted_secret_is_found_nowhere(cluster: Cluster) -> None:
    """Tasks got it; the database, Redis, everything published, every file and every answer have its name only."""
    definition = cluster.deploy(load_text(WORKFLOW)[0])
    with open_redis(cluster.environment["ORCHESTRATOR_REDIS_URL"]) as client, client.monitor() as monitor:
        heard = _submit_and_listen(cluster, definition, monitor)
    document = _shown(cluster)
    tasks = {one["name"]: one for one in document["tasks"] if one["current"]}

    assert {name: one["state"] for name, one in tasks.items() if one["state"] != "SUCCESS"} == dict.fromkeys(
        ("call", "refused", "wrong", "unknown"), "FAILURE"
    )
    assert document["logs"].strip() == "****** ******"
    assert tasks["program"]["outputs"] == {"out": "******", "len": 13}
    assert tasks["rows"]["outputs"] == {
        "token": "******",
        "size": 13,
        "text": "secret://token",
        "row_count": 1,
    }
    assert tasks["refused"]["reason"].startswith("http://127.0.0.1:1/******: ConnectError")
    assert tasks["call"]["reason"].startswith("ValueError: '******' does not appear to be")
    assert tasks["unknown"]["reason"].startswith("secret 'no_such' is not known on this worker")
    places = {
        "database": _database(cluster),
        "Redis": heard,
        "answers": json.dumps(document).encode(),
        **{str(path): path.read_bytes() for path in _files(cluster)},
    }
    assert b"secret" in places["database"]
    assert all(one in heard for one in (b"task-received", b"task-succeeded", b"XADD", b"://token"))
    assert [
        place for place, data in places.items() for one in (PLANTED, PASSWORD) if one.encode() in data
    ] == []


def _submit_and_listen(cluster: Cluster, definition: int, monitor: Any) -> bytes:
    """Run to the end; return every command that Redis got: orders, reports, Celery's events for Flower."""
    request = SubmitRequest(definition_id=definition, params={"start": "secret://token"})
    run = cluster.backend.submissions.submit(request).id
    heard: list[str] = []

    def ended() -> bool:
        while monitor.connection.can_read(0.01):
            heard.append(monitor.next_command()["command"])
        return cluster.states(run).get(run) == "FAILURE"

    wait_until(ended, seconds=60, what="the run's end")
    text_ = "\n".join(heard)
    coded = re.findall(r"[A-Za-z0-9+/]{40,}={0,2}", text_)  # bodies of Celery's messages
    return text_.encode() + b"\n".join(base64.b64decode(one + "=" * (-len(one) % 4)) for one in coded)


def _database(cluster: Cluster) -> bytes:
    """Return every row of every table as text."""
    engine = create_engine(cluster.environment["ORCHESTRATOR_DATABASE_URL"])
    with engine.connect() as connection:
        rows = [
            str(row)
            for table in inspect(engine).get_table_names()
            for row in connection.execute(text(f'SELECT t::text FROM "{table}" t'))  # noqa: S608 - names of our tables
        ]
    engine.dispose()
    return "\n".join(rows).encode()


def _files(cluster: Cluster) -> Iterator[Path]:
    """Yield logs, spools, Redis' files and what else was written, but PostgreSQL's and the user's database."""
    for path in cluster.directory.rglob("*"):
        inner = path.relative_to(cluster.directory).parts[0]
        if path.is_file() and inner not in ("postgres", "shop.db"):
            yield path


def _shown(cluster: Cluster) -> dict[str, Any]:
    """Return what the command line shows of the run, with a log."""
    shown: dict[str, Any] = json.loads(_called(cluster, "runs", "show", "1", "--json"))
    shown["logs"] = _called(cluster, "runs", "logs", "1", "program")
    return shown


def _called(cluster: Cluster, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator.cli", *arguments],
        env=cluster.environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.stdout
