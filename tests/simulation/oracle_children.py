"""Owns what must hold between parents and children: none is left alone, and none is started twice."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from sqlalchemy import RowMapping, select

from orchestrator.store import schema
from orchestrator.store.session import reading
from tests.simulation.chronicle import Stand
from tests.simulation.world import World

ORPHANS = (
    "SELECT child.id, child.state, child.run_count, parent.id, parent.state "
    "FROM workflow_instance AS child JOIN workflow_instance AS parent ON parent.id = child.parent_id "
    "WHERE parent.state IN ('SUCCESS', 'FAILURE', 'STOPPED') "
    "AND child.state NOT IN ('SUCCESS', 'FAILURE', 'STOPPED')"
)


def orphans(world: World) -> list[str]:
    """Return which children go on at this moment, although their parents have ended (C1).

    Those that people let begin again, when nobody waited for them any more, may.
    """
    if not world.plan.children:
        return []
    world.chronicle.look()
    return [
        f"C1: run {child} is {state}, and its parent, run {parent}, has ended: {ended}"
        for child, state, run_count, parent, ended in world.database.rows(ORPHANS)
        if not world.chronicle.has_begun_anew(child, run_count)
    ]


def child_faults(world: World) -> Iterator[str]:
    """Yield what is wrong at the end between attempts and the runs that they started (C1 to C6, C8)."""
    if not world.plan.children:
        return
    yield from world.chronicle.wrong
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
        yield from _parent_faults(child, waiting[number])
        ended = world.chronicle.let_go(number)
        if not clock_jumped and ended is not None:
            yield from _time_faults(waiting[number], ended)
    if not clock_jumped:
        yield from _twins(world, children.values())


def _parent_faults(child: RowMapping, attempts: Sequence[RowMapping]) -> Iterator[str]:
    """Yield if nobody waited for a child, somebody else did, or somebody still does although it has ended."""
    own = (child["parent_id"], child["parent_task"])
    if not attempts:
        yield f"C2: run {child['id']} was started by {own}, and no attempt of it knows"
        return
    for one in attempts:
        if (one["workflow_instance_id"], one["task"]) != own:
            yield f"C2: {_place(one)} waits for run {child['id']}, which {own} has started"
        if one["state"] == "RUNNING" and child["ended_at"] is not None:
            yield f"C8: {_place(one)} waits for run {child['id']}, which has ended: {child['state']}"


def _time_faults(attempts: Sequence[RowMapping], ended: Stand) -> Iterator[str]:
    """Yield if the last of those who waited for a child had ended before it did."""
    last = max(attempts, key=lambda one: int(one["attempt"]))
    if None not in (last["ended_at"], ended.ended_at) and last["ended_at"] < ended.ended_at:
        yield f"C1: {_place(last)} had ended before its run {last['child']} did"


def _twins(world: World, children: Iterable[RowMapping]) -> Iterator[str]:
    """Yield if a task had started another run before the one before it had ended.

    What people let begin again by hand, when nobody waited for it any more, may go on beside the other one.
    """
    by_task: dict[Any, list[RowMapping]] = defaultdict(list)
    for child in children:
        by_task[child["parent_id"], child["parent_task"]].append(child)
    for task, runs in by_task.items():
        for earlier, later in pairwise(sorted(runs, key=lambda one: int(one["id"]))):
            ended = world.chronicle.let_go(earlier["id"])
            if ended is None or ended.ended_at is None or later["submitted_at"] < ended.ended_at:
                yield f"C3: {task} started run {later['id']} before run {earlier['id']} had ended"


def _place(row: RowMapping) -> str:
    return f"{row['workflow_instance_id']}:{row['task']}:{row['attempt']}"
