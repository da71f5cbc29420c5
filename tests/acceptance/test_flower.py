"""Flower watches the same workers: it shows the worker, the tasks by readable names, and their states."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.cluster import Cluster, temporary_cluster, wait_until
from tests.scenario import SHAPE, submit_all

pytestmark = pytest.mark.acceptance

FLOWER = (sys.executable, "-P", "-m", "celery", "-A", "orchestrator", "flower")


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """PostgreSQL, Redis, one master, one worker."""
    with temporary_cluster() as started:
        started.start_master()
        started.start_worker()
        yield started


@pytest.fixture
def flower(cluster: Cluster) -> Iterator[str]:
    """A real `celery -A orchestrator flower` on a free loopback port; its URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (cluster.directory / "flower.log").open("ab") as log:
        process = subprocess.Popen(
            [*FLOWER, "--address=127.0.0.1", f"--port={port}"],
            env={**os.environ, **cluster.environment, "FLOWER_UNAUTHENTICATED_API": "true"},
            cwd=cluster.directory,
            stdout=log,
            stderr=log,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: ask(url, "workers") is not None, seconds=40, what="Flower answers")
        yield url
    finally:
        process.terminate()
        process.wait(20)


def test_flower_shows_worker_tasks_and_states(cluster: Cluster, flower: str) -> None:
    """Over its HTTP API: one worker, ten tasks named `workflow/task`, all SUCCESS."""
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


def ask(url: str, what: str) -> dict[str, Any] | None:
    """Return what Flower's API says, or `None` while it does not answer."""
    try:
        answer = httpx.get(f"{url}/api/{what}", timeout=5.0)
        answer.raise_for_status()
    except httpx.HTTPError:
        return None
    found: dict[str, Any] = answer.json()
    return found
