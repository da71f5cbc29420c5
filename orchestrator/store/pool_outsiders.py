"""Owns the search for attempts that wait for a slot although no row of a pool knows of them."""

from collections.abc import Collection, Iterator

from sqlalchemy import Connection, exists, select

from orchestrator.core.definition import from_document
from orchestrator.core.elements import TaskTable
from orchestrator.core.instance import Head
from orchestrator.core.pool import PoolPlace, is_in_pool, place_of, waits_for_slot
from orchestrator.core.status import TaskState
from orchestrator.store.rows import ATTEMPT_COLUMNS, ATTEMPT_KEY, HEAD_COLUMNS, attempt_of, head_of
from orchestrator.store.schema import (
    IN_LINE,
    pool_place,
    pool_slot,
    task_instance,
    workflow_definition,
    workflow_instance,
)

attempt = task_instance.c
MOST_AT_ONCE = 1000
WAITS = select(attempt.task).where(IN_LINE).exists()
"""Whether any attempt waits for a slot, as its own row says."""

OUTSIDERS = (
    select(*ATTEMPT_COLUMNS)
    .where(IN_LINE, attempt.current, attempt.state == TaskState.SUBMITTED)
    .where(
        *(
            ~exists().where(*(table.c[name] == attempt[name] for name in ATTEMPT_KEY))
            for table in (pool_place, pool_slot)
        )
    )
    .limit(MOST_AT_ONCE)
)


def find_outsiders(connection: Connection) -> list[PoolPlace]:
    """Return the places of attempts that wait for a slot and have neither a place nor a slot: up to 1,000.

    It is one statement: who is given a slot meanwhile has one or the other in it.
    """
    found = [attempt_of(row) for row in connection.execute(OUTSIDERS).mappings()]
    if not found:  # always, or there is a bug
        return []
    heads = {head.id: head for head in _heads(connection, {one.workflow_instance_id for one in found})}
    tasks = {number: _tasks(connection, number) for number in {head.definition_id for head in heads.values()}}
    places = []
    for one in found:
        head = heads[one.workflow_instance_id]
        task = tasks[head.definition_id].get(one.task)
        if task is not None and is_in_pool(head, task, one) and waits_for_slot(task, one):
            places.append(place_of(head, task, one))
    return places


def _heads(connection: Connection, ids: Collection[int]) -> Iterator[Head]:
    statement = select(*HEAD_COLUMNS).where(workflow_instance.c.id.in_(sorted(ids)))
    return map(head_of, connection.execute(statement).mappings())


def _tasks(connection: Connection, definition_id: int) -> TaskTable:
    statement = select(workflow_definition.c.document).where(workflow_definition.c.id == definition_id)
    definition = from_document(connection.execute(statement).scalar_one())
    return TaskTable({task.name: task for task in definition.tasks})
