"""Owns what must hold of queue timeouts: what was given up has not run, and had its time (Q1)."""

from collections.abc import Iterator

from sqlalchemy import select

from orchestrator.store import schema
from orchestrator.store.session import reading
from tests.simulation.plan import FORGETFUL
from tests.simulation.world import World

GIVEN_UP = "queue timeout"
NEAR_S = 0.25


def queue_faults(world: World) -> Iterator[str]:
    """Yield which attempt was given up in its queue although it ran, or had time left."""
    if not any(task.queue_timeout_s for run in world.plan.runs for task in run.definition.tasks):
        return
    columns = schema.task_instance.c
    query = select(schema.task_instance).where(columns.reason == GIVEN_UP, columns.state == "FAILURE")
    with reading(world.engine) as connection:
        rows = connection.execute(query).mappings().all()
    forgot = bool(FORGETFUL.intersection(world.ledger.faults))
    for row in rows:
        key = (row["workflow_instance_id"], row["task"], row["attempt"])
        for one in world.ledger.executions:
            unknown = one.zombie or one.unheard or one.spooled
            if one.key == key and one.how != "deferral" and not (forgot and unknown):
                yield f"Q1: {key} was given up in its queue, and ran as {one.order_id} ({one.how})"
        waited_s = (row["ended_at"] - row["submitted_at"]).total_seconds()
        limit_s = world.queue_timeout_s(*key[:2])
        if limit_s is None:
            yield f"Q1: {key} was given up in its queue, and has no queue timeout"
        elif waited_s < limit_s - NEAR_S and "database_clock_jumps" not in world.ledger.faults:
            yield f"Q1: {key} was given up after {waited_s:.2f} s, and has {limit_s} s"
