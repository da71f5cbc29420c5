"""Pools and priority with real processes: masters that die where slots change hands, and who comes first."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import text

from orchestrator.core.definition import Priority, TaskDefinition, WorkflowDefinition
from orchestrator.crash import POINTS
from tests import ledger, scenario
from tests.cluster import Cluster, temporary_cluster, wait_until
from tests.oracle import violations
from tests.scenario import at_rest

pytestmark = pytest.mark.acceptance

POOL_POINTS = [point for point in POINTS if point.startswith("pool.")]
CRASHED = 137
SLOTS = 2
TASKS_OF_A_RUN = 4
PARAMETERS = {name: f"${{{name}}}" for name in ("workflow_instance_id", "task_name", "attempt")}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """PostgreSQL and Redis for the whole module; each test starts the processes it needs."""
    with temporary_cluster({"ORCHESTRATOR_LEASE_SECONDS": "2", "ORCHESTRATOR_LOST_SECONDS": "3"}) as started:
        yield started


@pytest.fixture(autouse=True)
def clean(cluster: Cluster) -> Iterator[None]:
    """End what a test started."""
    cluster.ledger.unlink(missing_ok=True)
    yield
    for name in list(cluster.processes):
        cluster.stop(name)


def pooled(definition: WorkflowDefinition, pool: str) -> WorkflowDefinition:
    """Return a definition all of whose tasks need a slot."""
    tasks = tuple(replace(task, pool=pool) for task in definition.tasks)
    return replace(definition, name=f"{definition.name}_{pool}", tasks=tasks)


def most_at_once(cluster: Cluster) -> int:
    """Return how many tasks the ledger has seen running at the same time."""
    running = most = 0
    for line in sorted(ledger.read(cluster.ledger), key=lambda line: line.at):
        running += {"begin": 1, "end": -1}[line.what]
        most = max(most, running)
    return most


def slots_left(cluster: Cluster) -> list[tuple[object, ...]]:
    """Return what is left of slots, places and repairs."""
    with cluster.backend.engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT (SELECT count(*) FROM pool_slot), (SELECT count(*) FROM pool_place),"
                " (SELECT sum(repaired) FROM pool)"
            )
        )
        return [tuple(row) for row in rows]


@pytest.mark.parametrize("point", POOL_POINTS)
def test_master_that_dies_where_slots_change_hands_loses_none(cluster: Cluster, point: str) -> None:
    """The next master goes on: never more tasks at a time than slots, and at the end every slot is free."""
    cluster.start_worker()
    cluster.backend.pools.set("few", SLOTS)
    definition = cluster.deploy(pooled(scenario.definition(0.02), "few"))
    runs = [cluster.submit(definition) for _ in range(3)]
    doomed = cluster.start_master("doomed", ORCHESTRATOR_CRASH_AT=f"{point}:4")
    wait_until(lambda: doomed.poll() is not None, seconds=30, what=f"the master crashed at {point}")
    assert doomed.returncode == CRASHED
    cluster.processes.pop("doomed")

    cluster.start_master()

    cluster.wait_for(*runs, seconds=60)
    at_rest(cluster)
    assert slots_left(cluster) == [(0, 0, 0)]
    assert most_at_once(cluster) <= SLOTS
    wrong = violations(cluster, dict.fromkeys(runs, "SUCCESS"), crashed=False)
    assert [line for line in wrong if not line.startswith("O3")] == []  # the ledger of earlier tests is gone


def prioritised(workflow: Priority) -> WorkflowDefinition:
    """Return a workflow of tasks of every priority, the least urgent ones first in the definition."""
    tasks = tuple(
        TaskDefinition(
            name=f"{priority}_{number}",
            type="python",
            spec={"call": "tests.ledger:work"},
            params={**PARAMETERS, "seconds": 0},
            priority=priority,
        )
        for priority in sorted(Priority, key=lambda one: -one.rank)
        for number in range(TASKS_OF_A_RUN)
    )
    return WorkflowDefinition(name=f"w_{workflow}", tasks=tasks, priority=workflow)


@pytest.mark.parametrize("pool", [None, "one"], ids=["a worker with one place", "a pool with one slot"])
def test_what_waits_goes_by_workflow_then_task_then_age(cluster: Cluster, pool: str | None) -> None:
    """200 tasks of ten runs in all five levels, one at a time: nobody overtakes who is more urgent, or older."""
    levels = sorted(Priority, key=lambda one: -one.rank)
    if pool is not None:
        cluster.backend.pools.set(pool, 0)
    definitions = {
        level: cluster.deploy(pooled(prioritised(level), pool) if pool else prioritised(level))
        for level in levels
    }
    runs: dict[int, Priority] = {}
    for number in (1, 2):
        for level in levels:
            runs[cluster.submit(definitions[level])] = level
        if number == 1:
            cluster.start_master()
        wait_until(
            lambda: _waiting(cluster, runs) == len(runs) * TASKS_OF_A_RUN * len(levels),
            seconds=30,
            what="all tasks wait",
        )

    if pool is not None:
        cluster.backend.pools.set(pool, 1)
    cluster.start_worker(concurrency=4 if pool else 1)
    cluster.wait_for(*runs, seconds=120)

    began = [
        (runs[line.run].rank, Priority(line.task.rpartition("_")[0]).rank, line.run, line.task)
        for line in ledger.read(cluster.ledger)
        if line.what == "begin"
    ]
    assert len(began) == 200
    assert began == sorted(began)


def _waiting(cluster: Cluster, runs: dict[int, Priority]) -> int:
    """Return how many tasks wait for a worker, or for a slot."""
    with cluster.backend.engine.connect() as connection:
        statement = text(
            "SELECT count(*) FROM task_instance WHERE state IN ('SUBMITTED', 'DISPATCHED')"
            " AND workflow_instance_id >= :first"
        )
        return int(connection.execute(statement, {"first": min(runs)}).scalar_one())
