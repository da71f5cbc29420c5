"""Owns what must hold of dependent tasks at the end: each ended as the runs that it waited for said."""

from collections.abc import Iterator

from sqlalchemy import RowMapping, select

from orchestrator.store import schema
from orchestrator.store.session import reading
from tests.simulation.model_dependents import Verdict
from tests.simulation.workload_dependents import DEPENDENT
from tests.simulation.world import World

NEAR_S = 0.25
TIME_IS_UP = "not met in "
"""How the reason begins of one that has waited long enough."""


def dependent_faults(world: World) -> Iterator[str]:
    """Yield which dependent task ended otherwise than what it waited for said at any look (D1, D2)."""
    if not world.has(DEPENDENT):
        return
    columns = schema.task_instance.c
    with reading(world.engine) as connection:
        rows = connection.execute(select(schema.task_instance).where(columns.type == DEPENDENT))
        for row in rows.mappings().all():
            yield from _faults(world, row)


def _faults(world: World, row: RowMapping) -> Iterator[str]:
    key = (row["workflow_instance_id"], row["task"], row["attempt"])
    seen = world.onlooker.seen[key]
    match row["state"]:
        case "SUCCESS" if Verdict.MET not in seen:
            yield f"D1: {_place(row)} is SUCCESS, and what it waits for was never met: {_words(seen)}"
        case "FAILURE" if str(row["reason"]).startswith(TIME_IS_UP):
            yield from _time_faults(world, row, seen)
        case "FAILURE" if Verdict.FAILED not in seen:
            yield f"D1: {_place(row)} is FAILURE ({row['reason']}), and it was never so: {_words(seen)}"
        case "LOST":
            yield f"D1: {_place(row)} is LOST, and no worker had it"


def _time_faults(world: World, row: RowMapping, seen: set[Verdict]) -> Iterator[str]:
    """Yield if time was up before it was, or although there was nothing left to wait for."""
    limit_s = world.spec_of(row["workflow_instance_id"], row["task"]).get("wait")
    if limit_s is None or Verdict.WAITING not in seen:
        yield f"D2: {_place(row)} is FAILURE ({row['reason']}), may wait {limit_s} s, and saw {_words(seen)}"
    elif "database_clock_jumps" not in world.ledger.faults:
        waited_s = (row["ended_at"] - row["started_at"]).total_seconds()
        if waited_s < limit_s - NEAR_S:
            yield f"D2: {_place(row)} waited {waited_s:.2f} s, and has {limit_s} s"


def _words(seen: set[Verdict]) -> str:
    return ", ".join(sorted(seen)) or "nothing"


def _place(row: RowMapping) -> str:
    return f"{row['workflow_instance_id']}:{row['task']}:{row['attempt']}"
