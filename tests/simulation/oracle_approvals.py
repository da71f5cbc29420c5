"""Owns what must hold of approvals at the end: decided once, by a signal, a default or a time limit."""

from collections import Counter
from collections.abc import Iterator

from sqlalchemy import RowMapping, select

from orchestrator.store import schema
from orchestrator.store.session import reading
from tests.simulation.workload_approvals import APPROVAL, DEFAULT
from tests.simulation.world import World

NEAR_S = 0.25


def approval_faults(world: World) -> Iterator[str]:
    """Yield which approval was decided by nothing, by more than it was told, or before its time (A1, A2)."""
    if not world.has_approvals:
        return
    columns = schema.task_instance.c
    with reading(world.engine) as connection:
        rows = (
            connection.execute(select(schema.task_instance).where(columns.type == APPROVAL)).mappings().all()
        )
    used: Counter[tuple[int, str, str]] = Counter()
    for row in rows:
        if row["state"] == "SUCCESS":
            yield from _success_faults(world, row, used)
        elif row["state"] == "FAILURE":
            yield from _time_faults(world, row)
        elif row["state"] == "LOST":
            yield f"A1: {_place(row)} is LOST, and no worker had it"


def _success_faults(world: World, row: RowMapping, used: Counter[tuple[int, str, str]]) -> Iterator[str]:
    key = (row["workflow_instance_id"], row["task"])
    value = str(row["outputs"].get("value"))
    if str(row["reason"] or "").startswith("default"):
        if row["outputs"] != DEFAULT:
            yield f"A1: {_place(row)} took its default, and has {value!r}"
        yield from _time_faults(world, row)
        return
    used[*key, value] += 1
    sent = world.approvers.sent.get(key, Counter())[value]
    if used[*key, value] > sent:
        yield f"A1: {_place(row)} has {value!r}, which was sent {sent} times and counted {used[*key, value]} times"


def _time_faults(world: World, row: RowMapping) -> Iterator[str]:
    """Yield if time was up before it was."""
    limit_s = world.timeout_s(row["workflow_instance_id"], row["task"])
    if limit_s is None:
        yield f"A2: {_place(row)} is {row['state']} ({row['reason']}), and has no time limit"
    elif "database_clock_jumps" not in world.ledger.faults:
        waited_s = (row["ended_at"] - row["started_at"]).total_seconds()
        if waited_s < limit_s - NEAR_S:
            yield f"A2: {_place(row)} waited {waited_s:.2f} s, and has {limit_s} s"


def _place(row: RowMapping) -> str:
    return f"{row['workflow_instance_id']}:{row['task']}:{row['attempt']}"
