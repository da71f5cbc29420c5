"""The oracle: says after a scenario whether anything was lost, doubled or left behind (INVARIANTS section 2)."""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

from sqlalchemy import text

from orchestrator.broker.connection import open_redis
from orchestrator.broker.keys import Keys
from orchestrator.core.status import TASK_FINAL, WORKFLOW_FINAL
from tests import ledger
from tests.cluster import Cluster

COUNT = {"event": "SELECT count(*) FROM event", "attempt": "SELECT count(*) FROM attempt"}
SLOTS = range(64)
CELERY_LEFTOVERS = ("unacked", "unacked_index")


def violations(cluster: Cluster, expected: Mapping[int, str], *, crashed: bool) -> list[str]:
    """Return what is wrong, one line each.

    Args:
        cluster: The cluster after the scenario, everything at rest.
        expected: Run to the state it must be in.
        crashed: Whether a worker died under a task: only then may an attempt have begun and not ended.
    """
    with cluster.backend.engine.connect() as connection:
        runs = [dict(row) for row in connection.execute(text("SELECT * FROM workflow_instance")).mappings()]
        tasks = [dict(row) for row in connection.execute(text("SELECT * FROM task_instance")).mappings()]
        commands = connection.execute(text("SELECT count(*) FROM command")).scalar_one()
        alerts = connection.execute(
            text("SELECT count(*) FROM outbox WHERE delivered_at IS NULL")
        ).scalar_one()
        taken = connection.execute(
            text("SELECT (SELECT count(*) FROM pool_slot) + (SELECT count(*) FROM pool_place)")
        ).scalar_one()
        epochs = {
            row.slot: row.epoch for row in connection.execute(text("SELECT slot, epoch FROM slot_lease"))
        }
    found = [
        *_final_states(runs, tasks, expected),
        *_ledger(tasks, ledger.read(cluster.ledger), crashed=crashed),
        *_overlaps(ledger.read(cluster.ledger)),
        *_redis(cluster, crashed=crashed),
        *_spools(Path(cluster.environment["ORCHESTRATOR_HOME"])),
        *(
            f"O6: run {run['id']} was written under epoch {run['epoch']}"
            for run in runs
            if run["epoch"] > epochs[run["slot"]]
        ),
    ]
    if taken:
        found.append(f"O9: {taken} slots of pools, or places in their lines, are left")
    if commands:
        found.append(f"O5: {commands} commands are left")
    if alerts:
        found.append(f"O5: {alerts} alerts were not delivered")
    return found


def _final_states(
    runs: list[dict[str, Any]], tasks: list[dict[str, Any]], expected: Mapping[int, str]
) -> list[str]:
    states = {run["id"]: run["state"] for run in runs}
    found = [
        f"O1: run {run}: {states.get(run)}, not {state}"
        for run, state in expected.items()
        if states.get(run) != state
    ]
    final = {state.value for state in TASK_FINAL}
    ended = {run["id"] for run in runs if run["state"] in {state.value for state in WORKFLOW_FINAL}}
    found += [
        f"O1: run {task['workflow_instance_id']} task {task['task']} is left {task['state']}"
        for task in tasks
        if task["workflow_instance_id"] in ended and task["state"] not in final
    ]
    current = Counter((task["workflow_instance_id"], task["task"]) for task in tasks if task["current"])
    return found + [
        f"O1: {key} has {number} current attempts" for key, number in current.items() if number != 1
    ]


def _ledger(tasks: list[dict[str, Any]], lines: list[ledger.Line], *, crashed: bool) -> list[str]:
    begun = Counter((line.run, line.task, line.attempt) for line in lines if line.what == "begin")
    ended = Counter((line.run, line.task, line.attempt) for line in lines if line.what == "end")
    found = []
    for task in tasks:
        if task["type"] != "python" or task["state"] != "SUCCESS":
            continue
        key = (task["workflow_instance_id"], task["task"], task["attempt"])
        if ended[key] != 1:
            found.append(f"O3: {key} is SUCCESS and ended {ended[key]} times")
        if not crashed and begun[key] != 1:
            found.append(f"O3: {key} began {begun[key]} times")
    if not crashed:
        extra = begun.keys() - {
            (task["workflow_instance_id"], task["task"], task["attempt"]) for task in tasks
        }
        found += [f"O3: {key} ran and has no row" for key in extra]
    return found


def _overlaps(lines: list[ledger.Line]) -> list[str]:
    """Return the tasks of which two attempts ran at the same time."""
    spans: dict[tuple[int, str], list[tuple[float, float]]] = defaultdict(list)
    open_since: dict[tuple[int, str, int, int], float] = {}
    for line in lines:
        key = (line.run, line.task, line.attempt, line.pid)
        if line.what == "begin":
            open_since[key] = line.at
        elif key in open_since:
            spans[line.run, line.task].append((open_since.pop(key), line.at))
    found = []
    for task, times in spans.items():
        times.sort()
        if any(later[0] < earlier[1] for earlier, later in pairwise(times)):
            found.append(f"O4: two attempts of {task} overlapped")
    return found


def _redis(cluster: Cluster, *, crashed: bool) -> list[str]:
    """Return what is left in Redis; what a killed worker had prefetched waits for the visibility timeout."""
    keys = Keys(cluster.backend.settings.key_prefix)
    client: Any = open_redis(cluster.redis.url)
    found = [
        f"O5: {number} entries in stream {slot}"
        for slot in SLOTS
        if (number := client.xlen(keys.events(slot)))
    ]
    for name in ("default", *(() if crashed else CELERY_LEFTOVERS)):
        key = f"{keys.prefix}{name}"
        kind = client.type(key).decode()
        number = {"list": client.llen, "hash": client.hlen, "zset": client.zcard}.get(kind, lambda _: 0)(key)
        if number:
            found.append(f"O5: {number} messages in {name}")
    client.close()
    return found


def _spools(home: Path) -> list[str]:
    found = []
    for spool in (home / "spools").glob("*.db"):
        try:
            counts = _rows_of(spool)
        except sqlite3.OperationalError as error:  # its worker begins or ends just now: ask again
            found.append(f"O5: spool {spool.name} cannot be read: {error}")
            continue
        found += [
            f"O5: {number} rows in {name} of spool {spool.name}" for name, number in counts.items() if number
        ]
    return found


def _rows_of(spool: Path) -> dict[str, int]:
    """Return how many rows a spool has, by table."""
    with closing(sqlite3.connect(f"file:{spool}?mode=ro", uri=True)) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: connection.execute(COUNT[name]).fetchone()[0] for name in COUNT if name in tables}
