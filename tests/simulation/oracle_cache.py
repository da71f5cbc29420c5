"""Owns what must hold of the cache at the end: what is kept is what was worked out, and nothing of it is lost."""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import select

from orchestrator.core.elements import group_of
from orchestrator.store import schema
from orchestrator.store.session import reading
from tests.simulation.model_attempts import REFUSED
from tests.simulation.world import World

FROM_CACHE = "from cache of run "


def is_kept(row: Any) -> bool:
    """Return whether an attempt took its outputs from the cache."""
    return row["state"] == "SUCCESS" and str(row["reason"] or "").startswith(FROM_CACHE)


def cache_faults(world: World) -> Iterator[str]:
    """Yield where rows and entries say different things (O1)."""
    with reading(world.engine) as connection:
        rows = connection.execute(select(schema.task_instance)).mappings().all()
        entries = connection.execute(select(schema.task_cache)).mappings().all()
        names = dict(
            connection.execute(
                select(schema.workflow_instance.c.id, schema.workflow_instance.c.workflow)
            ).all()
        )
    by_key = {(row["workflow_instance_id"], row["task"], row["attempt"]): row for row in rows}
    for entry in entries:
        row = by_key[entry["workflow_instance_id"], entry["task"], entry["attempt"]]
        worked_out = row["state"] == "SUCCESS" and not (is_kept(row) or _is_refused(row))
        if not worked_out or row["cache_key"] != entry["key"]:
            yield f"O1: {entry['key'][:8]} is kept of {_place(row)}, which is {row['state']} ({row['reason']})"
    kept = {entry["key"] for entry in entries}
    for row in rows:
        is_new = row["state"] == "SUCCESS" and row["cache_key"] and not _is_refused(row)
        if is_new and row["cache_key"] not in kept:
            yield f"O1: what {_place(row)} has worked out is not kept"
        if is_kept(row):
            yield from _source_faults(row, rows, names)


def _source_faults(row: Any, rows: Any, names: Mapping[int, str]) -> Iterator[str]:
    """Yield if the run that is named has not worked out the same outputs, for the same task, before."""
    source = int(row["reason"].removeprefix(FROM_CACHE))
    if not any(
        one["workflow_instance_id"] == source
        and _group(one["task"]) == _group(row["task"])
        and names[source] == names[row["workflow_instance_id"]]
        and one["state"] == "SUCCESS"
        and not is_kept(one)
        and one["outputs"] == row["outputs"]
        for one in rows
    ):
        yield f"O1: {_place(row)} is {row['reason']}, which has not worked that out"


def _is_refused(row: Any) -> bool:
    """Return whether the check of a task called its outputs wrong: those are not kept."""
    return str(row["reason"] or "").startswith(REFUSED)


def _group(task: str) -> str:
    """Return a task's name, of an element that of its map: elements share what they keep."""
    return group_of(task) or task


def _place(row: Any) -> str:
    return f"{row['workflow_instance_id']}:{row['task']}:{row['attempt']}"
