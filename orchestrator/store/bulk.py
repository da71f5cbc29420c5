"""Owns the bulk writes of runs and attempts: each is one statement, compiled once, for any number of rows.

What changes a row finds it by its key. SQLite, which has no round trip to save, takes rows one by one, and so does
PostgreSQL where `one_call` must not be created; that call has the same statements in PostgreSQL's own words.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, Update, bindparam, insert, select, text, tuple_, update

from orchestrator.core.changes import InstanceChange
from orchestrator.core.instance import TaskInstance
from orchestrator.store.among import among
from orchestrator.store.rows import (
    ATTEMPT_FIELDS,
    ATTEMPT_KEY,
    HEAD_FIELDS,
    HEAD_IMMUTABLE,
    attempt_values,
    head_values,
)
from orchestrator.store.schema import task_instance, workflow_instance
from orchestrator.store.session import is_postgres, to_json

AttemptKey = tuple[int, str, int]

HEAD_WRITTEN = tuple(name for name in HEAD_FIELDS if name not in HEAD_IMMUTABLE)
ATTEMPT_WRITTEN = tuple(name for name in ATTEMPT_FIELDS if name not in ATTEMPT_KEY)

KEYS_AT_ONCE = 5000
"""SQLite takes at most 32,766 parameters in a statement."""


def spread(table: str, rows: str) -> str:
    """Return PostgreSQL's statement that gives the JSON expression `rows` as rows of the table; null has none."""
    return f"SELECT * FROM json_populate_recordset(CAST(NULL AS {table}), {rows})"  # noqa: S608  constants


def update_head_from(given: str) -> str:
    """Return PostgreSQL's statement that writes one head, `given`, if its revision is still the given one."""
    return (
        f"UPDATE workflow_instance AS stored SET revision = stored.revision + 1, epoch = {given}.epoch,"  # noqa: S608
        f" {_assigned(HEAD_WRITTEN, given)} WHERE stored.id = {given}.id AND stored.revision = {given}.revision"
    )


def update_attempt_from(given: str) -> str:
    """Return PostgreSQL's statement that overwrites the row of one attempt, `given`."""
    return (
        f"UPDATE task_instance AS stored SET {_assigned(ATTEMPT_WRITTEN, given)}"  # noqa: S608
        f" WHERE {_same_attempt(given)}"
    )


def withdraw_attempt_from(given: str) -> str:
    """Return PostgreSQL's statement by which one attempt, `given`, is no longer the current one."""
    return (
        f"UPDATE task_instance AS stored SET current = false WHERE {_same_attempt(given)} AND stored.current"  # noqa: S608
    )


def insert_attempts_from(rows: str) -> str:
    """Return PostgreSQL's statement that inserts the attempts in the JSON expression `rows`."""
    names = ", ".join(ATTEMPT_FIELDS)
    given = f"json_populate_recordset(CAST(NULL AS task_instance), {rows})"
    return f"INSERT INTO task_instance ({names}) SELECT {names} FROM {given} AS given"  # noqa: S608


def _assigned(names: Iterable[str], given: str) -> str:
    return ", ".join(f"{name} = {given}.{name}" for name in names)


def _same_attempt(given: str) -> str:
    return " AND ".join(f"stored.{name} = {given}.{name}" for name in ATTEMPT_KEY)


POSTGRES_INSERT_ATTEMPTS = text(insert_attempts_from("CAST(:rows AS json)"))


def _update_by(table: Table, key: Sequence[str], written: Iterable[str]) -> Update:
    """Return an UPDATE of one row; its parameters are called `_<column>`."""
    statement = update(table).values(
        {name: bindparam(f"_{name}", type_=table.c[name].type) for name in written}
    )
    return statement.where(*(table.c[name] == bindparam(f"_{name}") for name in key))


UPDATE_HEADS = _update_by(workflow_instance, ("id", "revision"), (*HEAD_WRITTEN, "epoch")).values(
    revision=workflow_instance.c.revision + 1
)
UPDATE_ATTEMPTS = _update_by(task_instance, ATTEMPT_KEY, ATTEMPT_WRITTEN)
INSERT_ATTEMPTS = insert(task_instance)

REVISIONS = select(workflow_instance.c.id, workflow_instance.c.revision).where(
    among(workflow_instance.c.id, "ids")
)


def update_heads(
    connection: Connection, changes: Sequence[InstanceChange], epochs: Mapping[int, int]
) -> set[int]:
    """Write the heads whose revision is still the given one, each with the next revision.

    Args:
        connection: In a writing transaction.
        changes: What changed, by instance.
        epochs: Epoch of each slot's lease, which the rows carry from now on.

    Returns:
        The ids of the rows that were written.
    """
    rows = head_rows(changes, epochs)
    if is_postgres(connection) or len(rows) == 1:  # the count says whether a row was written
        return {row["id"] for row in rows if connection.execute(UPDATE_HEADS, _prefixed([row])).rowcount}
    matching = _heads_at(connection, {row["id"]: row["revision"] for row in rows})  # we are the only writer
    connection.execute(UPDATE_HEADS, _prefixed(rows))
    return matching


def head_rows(changes: Iterable[InstanceChange], epochs: Mapping[int, int]) -> list[dict[str, Any]]:
    """Return the heads as rows: each with the revision it must have, and its new epoch."""
    return [
        {**head_values(one.head), "revision": one.revision, "epoch": epochs[one.head.slot]} for one in changes
    ]


def update_attempts(connection: Connection, attempts: Sequence[TaskInstance]) -> set[int]:
    """Overwrite the rows of these attempts.

    Returns:
        The ids of the instances of which a row was missing; then not all is written.
    """
    result = connection.execute(UPDATE_ATTEMPTS, _prefixed(map(attempt_values, attempts)))
    if result.rowcount == len(attempts):
        return set()
    keys = {attempt.key for attempt in attempts}
    return {key[0] for key in keys - _existing(connection, keys)}


def key_row(attempt: TaskInstance) -> dict[str, Any]:
    """Return what names the row of an attempt, and nothing else."""
    return {name: getattr(attempt, name) for name in ATTEMPT_KEY}


def withdraw_attempts(connection: Connection, attempts: Iterable[TaskInstance]) -> set[int]:
    """Let the rows of these attempts no longer be the current ones; nothing else of them is written.

    Returns:
        The ids of the instances of which a row was missing, or not the current one; then not all is written.
    """
    rows: dict[int, list[tuple[str, int]]] = {}
    for attempt in attempts:
        rows.setdefault(attempt.workflow_instance_id, []).append((attempt.task, attempt.attempt))
    columns, missing = task_instance.c, set()
    for number, keys in rows.items():
        for some in chunks(keys, KEYS_AT_ONCE):
            named = tuple_(columns.task, columns.attempt).in_(some)
            of_run = (columns.workflow_instance_id == number, named, columns.current)
            if connection.execute(update(task_instance).where(*of_run).values(current=False)).rowcount < len(
                some
            ):
                missing.add(number)
    return missing


def insert_attempts(connection: Connection, attempts: Sequence[TaskInstance]) -> None:
    """Insert a row for each of these attempts."""
    if is_postgres(connection):
        connection.execute(POSTGRES_INSERT_ATTEMPTS, {"rows": to_json(attempts)})
    else:
        connection.execute(INSERT_ATTEMPTS, [attempt_values(attempt) for attempt in attempts])


def _prefixed(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{f"_{name}": value for name, value in row.items()} for row in rows]


def _heads_at(connection: Connection, revisions: Mapping[int, int]) -> set[int]:
    """Return the ids of the instances that are at these revisions."""
    found = connection.execute(REVISIONS, {"ids": list(revisions)})
    return {number for number, revision in found if revisions[number] == revision}


def _existing(connection: Connection, keys: Collection[AttemptKey]) -> set[AttemptKey]:
    columns = tuple(task_instance.c[name] for name in ATTEMPT_KEY)
    found: set[AttemptKey] = set()
    for some in chunks(keys, KEYS_AT_ONCE):
        rows = connection.execute(select(*columns).where(tuple_(*columns).in_(some)))
        found.update((number, task, attempt) for number, task, attempt in rows)
    return found


def chunks(items: Collection[Any], size: int) -> Iterable[list[Any]]:
    """Yield the items in lists of at most `size`."""
    everything = list(items)
    for start in range(0, len(everything), size):
        yield everything[start : start + size]
