"""Flower watches the same workers: it shows the worker, the tasks by readable names, and their states."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import Cluster, temporary_cluster, wait_until
from tests.scenario import SHAPE, submit_all

pytestmark = pytest.mark.acceptance

ANSWER_WITHIN_S = 5.0
FLOWER = (sys.executable, "-P", "-m", "celery", "-A", "orchestrator", "flower")


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """PostgreSQL, Redis, one master, one worker."""
    with temporary_cluster() as started:
        started.start_master()
        started.start_worker()
        yield started


@pytest.fixture
def flower(cluster: Cluster) -> Iterator[Path]:
    """A real `celery -A orchestrator flower`; its Unix socket, which nobody else can take."""
    place = cluster.directory / "flower.sock"
    with (cluster.directory / "flower.log").open("ab") as log:
        process = subprocess.Popen(
            [*FLOWER, f"--unix_socket={place}"],
            env={**os.environ, **cluster.environment, "FLOWER_UNAUTHENTICATED_API": "true"},
            cwd=cluster.directory,
            stdout=log,
            stderr=log,
        )
    try:
        wait_until(lambda: ask(place, "workers") is not None, seconds=40, what="Flower answers")
        yield place
    finally:
        process.terminate()
        process.wait(20)


def test_flower_shows_worker_tasks_and_states(cluster: Cluster, flower: Path) -> None:
    """Over its HTTP API: one worker, ten tasks named `workflow/task`, all SUCCESS."""
    wait_until(
        lambda: ask(flower, "workers?status=true"), seconds=60, what="Flower hears the worker's events"
    )
    wait_until(lambda: ask(flower, "workers?refresh=true"), seconds=60, what="Flower knows the worker")
    runs = submit_all(cluster, 1, 0.01)
    cluster.wait_for(*runs, seconds=30)

    def all_seen() -> bool:
        tasks = (ask(flower, "tasks") or {}).values()
        return len([task for task in tasks if task["state"] == "SUCCESS"]) >= len(SHAPE)

    wait_until(all_seen, seconds=20, what="Flower has seen every task end")
    workers, tasks = ask(flower, "workers") or {}, ask(flower, "tasks") or {}
    assert [name.partition("@")[0] for name in workers] == ["w1"]
    assert {task["name"] for task in tasks.values()} == {f"restarts/{name}" for name in SHAPE}
    assert {task["state"] for task in tasks.values()} == {"SUCCESS"}


def ask(place: Path, what: str) -> dict[str, Any] | None:
    """Return what Flower's API says, or `None` while it does not answer."""
    connection = HTTPConnection("flower")
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(ANSWER_WITHIN_S)
        try:
            line.connect(str(place))
            connection.sock = line
            connection.request("GET", f"/api/{what}")
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, HTTPException):
            return None
    found: dict[str, Any] | None = json.loads(body) if answer.status == HTTPStatus.OK else None
    return found
