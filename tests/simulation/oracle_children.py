"""Owns what must hold between parents and children: none is left alone, and none is started twice."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from sqlalchemy import RowMapping, select

from orchestrator.store import schema
from orchestrator.store.session import reading
from tests.simulation.world import World

ORPHANS = (
    "SELECT child.id, child.state, parent.id, parent.state "
    "FROM workflow_instance AS child JOIN workflow_instance AS parent ON parent.id = child.parent_id "
    "WHERE parent.state IN ('SUCCESS', 'FAILURE', 'STOPPED') "
    "AND child.state NOT IN ('SUCCESS', 'FAILURE', 'STOPPED')"
)


def orphans(world: World) -> list[str]:
    """Return which children go on at this moment, although their parents have ended (C1)."""
    if not world.plan.children:
        return []
    return [
        f"C1: run {child} is {state}, and its parent, run {parent}, has ended: {ended}"
        for child, state, parent, ended in world.database.rows(ORPHANS)
    ]


def child_faults(world: World) -> Iterator[str]:
    """Yield what is wrong at the end between attempts and the runs that they started (C2, C3)."""
    if not world.plan.children:
        return
    with reading(world.engine) as connection:
        runs = connection.execute(select(schema.workflow_instance)).mappings().all()
        attempts = connection.execute(
            select(schema.task_instance).where(schema.task_instance.c.child.is_not(None))
        )
        waiting: dict[int, list[RowMapping]] = defaultdict(list)
        for attempt in attempts.mappings():
            waiting[attempt["child"]].append(attempt)
    children = {row["id"]: row for row in runs if row["parent_id"] is not None}
    for number in waiting.keys() - children.keys():
        yield f"C2: {_place(waiting[number][0])} waits for run {number}, which does not exist"
    clock_jumped = "database_clock_jumps" in world.ledger.faults
    for number, child in children.items():
        yield from _parent_faults(child, waiting[number], clock_jumped=clock_jumped)
    if not clock_jumped:
        yield from _twins(children.values())


def last_attempts(rows: Iterable[RowMapping]) -> dict[int, int]:
    """Return, for each child, the number of the last attempt that waited for it."""
    last: dict[int, int] = {}
    for row in rows:
        if row["child"] is not None:
            last[row["child"]] = max(row["attempt"], last.get(row["child"], 0))
    return last


def _parent_faults(child: RowMapping, attempts: Sequence[RowMapping], *, clock_jumped: bool) -> Iterator[str]:
    """Yield if nobody waited for a child, somebody else did, or its task had ended before it did."""
    own = (child["parent_id"], child["parent_task"])
    if not attempts:
        yield f"C2: run {child['id']} was started by {own}, and no attempt of it knows"
        return
    for one in attempts:
        if (one["workflow_instance_id"], one["task"]) != own:
            yield f"C2: {_place(one)} waits for run {child['id']}, which {own} has started"
    last = max(attempts, key=lambda one: int(one["attempt"]))
    known = not clock_jumped and None not in (last["ended_at"], child["ended_at"])
    if known and last["ended_at"] < child["ended_at"]:
        yield f"C1: {_place(last)} had ended before its run {child['id']} did"


def _twins(children: Iterable[RowMapping]) -> Iterator[str]:
    """Yield if a task had started another run before the one before it had ended."""
    by_task: dict[Any, list[RowMapping]] = defaultdict(list)
    for child in children:
        by_task[child["parent_id"], child["parent_task"]].append(child)
    for task, runs in by_task.items():
        for earlier, later in pairwise(sorted(runs, key=lambda one: int(one["id"]))):
            if earlier["ended_at"] is None or later["submitted_at"] < earlier["ended_at"]:
                yield f"C3: {task} started run {later['id']} before run {earlier['id']} had ended"


def _place(row: RowMapping) -> str:
    return f"{row['workflow_instance_id']}:{row['task']}:{row['attempt']}"
