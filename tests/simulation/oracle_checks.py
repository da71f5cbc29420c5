"""Owns what must hold of checks at the end: refused outputs end nothing well, and people hear of it."""

from collections import Counter
from collections.abc import Iterator

from sqlalchemy import RowMapping, select

from orchestrator.core.definition import TaskDefinition
from orchestrator.store import schema
from orchestrator.store.session import reading
from tests.simulation.workload_checks import ROWS, UNKNOWN, is_refused
from tests.simulation.world import World

AttemptKey = tuple[int, str, int]


def check_faults(world: World) -> Iterator[str]:
    """Yield which attempt ended otherwise than its outputs let it (K1), or was not told of once (K2)."""
    if not world.has_checks:
        return
    outbox = schema.outbox.c
    with reading(world.engine) as connection:
        rows = connection.execute(select(schema.task_instance)).mappings().all()
        keys = connection.execute(
            select(outbox.key).where(outbox.kind == "check_failed", outbox.delivered_at.is_not(None))
        )
        told = Counter(map(_attempt_of, keys.scalars()))
    for row in rows:
        task = world.task_of(row["workflow_instance_id"], row["task"])
        key = (row["workflow_instance_id"], row["task"], row["attempt"])
        if task.check is not None:
            yield from _faults(task, row)
            must_be_told = row["state"] == "SUCCESS" and not _holds(task, row)
            if told.pop(key, 0) != must_be_told:
                yield f"K2: {_place(row)} is {row['state']} with {row['outputs']}, and people heard otherwise"
    for number, name, attempt in told:
        yield f"K2: people heard of {number}:{name}:{attempt}, of which nothing was to be told"


def _faults(task: TaskDefinition, row: RowMapping) -> Iterator[str]:
    assert task.check is not None
    expression = task.check["expression"]
    reason = str(row["reason"] or "")
    if row["state"] == "SUCCESS" and not _holds(task, row):
        if is_refused(task) or expression == UNKNOWN:
            yield f"K1: {_place(row)} is SUCCESS with {row['outputs']}, and its check is {expression}"
        elif reason != f"check: {expression}":
            yield f"K1: {_place(row)} is SUCCESS with {row['outputs']}, and its reason is {reason!r}"
    elif row["state"] == "FAILURE" and reason.startswith("check: "):
        if _holds(task, row):
            yield f"K1: {_place(row)} is FAILURE ({reason}) with {row['outputs']}"
        elif ROWS not in row["outputs"]:
            yield f"K1: {_place(row)} is FAILURE ({reason}), and what it gave is gone"
        elif expression != UNKNOWN and reason != f"check: {expression}":
            yield f"K1: {_place(row)} is FAILURE ({reason}), and its check is {expression}"


def _holds(task: TaskDefinition, row: RowMapping) -> bool:
    """Return whether what stands in a row is what the check asks for."""
    assert task.check is not None
    return task.check["expression"] != UNKNOWN and bool(row["outputs"].get(ROWS) == 1)


def _attempt_of(key: str) -> AttemptKey:
    """Return the attempt that an alert is about: kind, run, run count, task, attempt."""
    _, run, _, task, attempt = key.split(":")
    return int(run), task, int(attempt)


def _place(row: RowMapping) -> str:
    return f"{row['workflow_instance_id']}:{row['task']}:{row['attempt']}"
