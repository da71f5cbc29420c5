"""Owns what a pool has to do with it: its slots are taken, and by whom; or it has none."""

from orchestrator.core.instance import TaskInstance
from orchestrator.service.explaining.causes import Cause, Kind, named
from orchestrator.service.explaining.facts import Facts
from orchestrator.store.pools import Line


def without_slot(facts: Facts, attempt: TaskInstance) -> Cause:
    """Return the cause that an attempt waits for a slot of its pool: which is full, and who has its slots."""
    name = facts.run.graph.tasks[attempt.task].pool or ""
    line = facts.lines.get(attempt.task)
    return Cause(
        kind=Kind.POOL,
        task=attempt.task,
        detail=f"waits for a slot of pool '{name}'" + (_standing(line) if line else ""),
        since=attempt.submitted_at,
        remedy=_remedy(name, line),
    )


def _standing(line: Line) -> str:
    if line.pool.slots is None:
        return ", which does not exist"
    holders = (f"{one.task} of run {one.workflow_instance_id}" for one in line.holders)
    held = f", by {named(holders)}" if line.holders else ""
    before = f"; {line.before} wait before it" if line.before else ""
    return f": {line.pool.taken} of {line.pool.slots} are taken{held}{before}"


def _remedy(name: str, line: Line | None) -> str:
    none = line is not None and not line.pool.slots
    return f"orchestrator pools set {name} SLOTS" if none else ""
