"""The example's Celery application, with its own worker process, in a real cluster."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.authoring.load import load_file
from orchestrator.broker.connection import celery_broker_url
from tests.cluster import ROOT, Cluster, temporary_cluster, wait_until

EXAMPLE = ROOT / "examples" / "existing_celery_app"
WITHIN_S = 60

PATIENT = """
import threading, types
import shop.tasks
from celery.exceptions import SoftTimeLimitExceeded
from shop.app import app

def sleep(seconds):
    while True:
        try:
            threading.Event().wait()
        except SoftTimeLimitExceeded:
            continue

shop.tasks.time = types.SimpleNamespace(sleep=sleep)
"""
"""The same application, but whoever sleeps there does so until the worker dies."""

pytestmark = pytest.mark.acceptance


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """PostgreSQL, Redis, one master, and no worker but those of the application."""
    with temporary_cluster() as started:
        started.start_master()
        yield started


def test_example_runs_on_the_applications_own_worker(cluster: Cluster) -> None:
    """Arguments are resolved, results flow on, `self.retry` defers the attempt, the soft limit is heard."""
    start_shop(cluster, "shop")
    document = ended(cluster, submit(cluster))

    assert document["outputs"]["letter"] == "Thank you for 42 EUR"
    assert document["outputs"]["printed"] < 100, "the soft limit ended it: two on a machine that has time"
    (charge,) = attempts_of(document, "charge")
    assert charge[:2] == ("SUCCESS", 1)
    assert charge[2] >= 3, "two retries, and whatever another worker gave back"
    assert {one["worker"].partition("@")[0] for one in document["tasks"]} == {"shop"}


def test_attempt_of_a_killed_worker_is_lost_and_runs_again(cluster: Cluster) -> None:
    """The application's worker dies like any other: a new attempt, on another worker, and nothing runs twice."""
    (cluster.directory / "patient.py").write_text(PATIENT)
    start_shop(cluster, "shop", "patient")
    run = submit(cluster)
    wait_until(lambda: state_of(cluster, run, "labels") == "RUNNING", seconds=WITHIN_S, what="labels runs")
    cluster.kill("shop")
    start_shop(cluster, "other")
    document = ended(cluster, run)

    assert [state for state, *_ in attempts_of(document, "labels")] == ["LOST", "SUCCESS"]
    assert [state for state, *_ in attempts_of(document, "orders")] == ["SUCCESS"]


def start_shop(cluster: Cluster, name: str, application: str = "shop") -> None:
    """Start the application's worker, as its owners do."""
    broker = celery_broker_url(cluster.environment["ORCHESTRATOR_REDIS_URL"])
    cluster.start_application(
        *(name, application, "-Q", "shop", "-c", "2"),
        PYTHONPATH=f"{ROOT}:{EXAMPLE}:{cluster.directory}",
        SHOP_BROKER=broker,
    )


def submit(cluster: Cluster) -> int:
    """Submit the example's workflow and return the run's id."""
    (definition,) = load_file(Path(EXAMPLE / "checkout.yaml"))
    return cluster.submit(cluster.deploy(definition))


def ended(cluster: Cluster, run: int) -> dict[str, Any]:
    """Return a run's document when it has ended in SUCCESS."""
    cluster.wait_for(run, seconds=WITHIN_S)
    return dict(cluster.backend.queries.run(run))


def attempts_of(document: dict[str, Any], task: str) -> list[tuple[str, int, int]]:
    """Return state, attempt and dispatch of each attempt of a task."""
    return [
        (str(one["state"]), one["attempt"], one["dispatch"])
        for one in document["tasks"]
        if one["name"] == task
    ]


def state_of(cluster: Cluster, run: int, task: str) -> str | None:
    """Return the state of a task's first attempt, or `None` before it exists."""
    attempts = attempts_of(cluster.backend.queries.run(run), task)
    return attempts[0][0] if attempts else None
