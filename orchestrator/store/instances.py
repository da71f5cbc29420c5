"""Owns the loading of runs into memory, as plain values."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    RowMapping,
    bindparam,
    case,
    func,
    literal_column,
    select,
    tuple_,
)

from orchestrator.core.definition import WorkflowDefinition, from_document
from orchestrator.core.instance import Head, TaskInstance
from orchestrator.core.outputs import StoredOutputs
from orchestrator.core.status import WORKFLOW_FINAL
from orchestrator.errors import NotFound
from orchestrator.store.among import among
from orchestrator.store.bulk import KEYS_AT_ONCE, AttemptKey, chunks
from orchestrator.store.columns import Json
from orchestrator.store.environments import Environments
from orchestrator.store.rows import ATTEMPT_COLUMNS, ATTEMPT_KEY, HEAD_COLUMNS, attempt_of, head_of
from orchestrator.store.schema import (
    UNFINISHED,
    deployment,
    task_instance,
    workflow_definition,
    workflow_instance,
)
from orchestrator.store.session import is_postgres, reading, to_json, writing

KEY_COLUMNS = tuple(task_instance.c[name] for name in ATTEMPT_KEY)

BIG_OUTPUTS_BYTES = 1024
"""Outputs whose JSON is longer stay in the database; memory knows their names."""

_POSTGRES_SIZE = "octet_length(CAST(task_instance.outputs AS text))"
_POSTGRES_NAMES = "(SELECT json_agg(name) FROM json_object_keys(task_instance.outputs) AS name)"
_SQLITE_SIZE = "length(CAST(task_instance.outputs AS BLOB))"
_SQLITE_NAMES = "(SELECT json_group_array(key) FROM json_each(task_instance.outputs))"


def _lean_columns(size: str, names: str) -> tuple[ColumnElement[Any], ...]:
    """Return the columns of an attempt; big outputs are NULL, and `output_names` is not."""
    is_big = f"CASE WHEN {size} > {BIG_OUTPUTS_BYTES} THEN"
    return (
        *(column for column in ATTEMPT_COLUMNS if column.name != "outputs"),
        literal_column(f"{is_big} NULL ELSE task_instance.outputs END", Json).label("outputs"),
        literal_column(f"{is_big} {names} END", Json).label("output_names"),
    )


LEAN_COLUMNS = {
    True: _lean_columns(_POSTGRES_SIZE, _POSTGRES_NAMES),
    False: _lean_columns(_SQLITE_SIZE, _SQLITE_NAMES),
}
"""By whether it is PostgreSQL."""

_run, _attempt = workflow_instance.c, task_instance.c

HEADS = select(*HEAD_COLUMNS, _run.revision).where(among(_run.id, "ids")).order_by(_run.id)
LOCKED_HEADS = HEADS.with_for_update()
CURRENT_ATTEMPTS = {
    postgres: select(*columns)
    .where(among(_attempt.workflow_instance_id, "ids"), _attempt.current)
    .order_by(_attempt.workflow_instance_id, _attempt.sequence)
    for postgres, columns in LEAN_COLUMNS.items()
}
SPENT = (
    select(_attempt.workflow_instance_id, _attempt.task, func.max(_attempt.attempt))
    .where(among(_attempt.workflow_instance_id, "ids"))
    .group_by(_attempt.workflow_instance_id, _attempt.task)
    .having(func.max(case((_attempt.current, 1), else_=0)) == 0)
)
DOCUMENT = select(workflow_definition.c.document).where(workflow_definition.c.id == bindparam("asked"))
UNFINISHED_IDS = (
    select(_run.id)
    .where(among(_run.slot, "slots"), _run.id > bindparam("after"), UNFINISHED)
    .order_by(_run.id)
    .limit(bindparam("most"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedInstance:
    """One run as the database has it.

    Attributes:
        attempts: The current attempt of each task that has one, in order of submission, without the values of
            big outputs; none of a finished run, unless they were asked for.
        spent: Task name to the number of its last attempt, of tasks that are to run again and have no current one.
    """

    head: Head
    revision: int
    attempts: tuple[TaskInstance, ...] = ()
    spent: Mapping[str, int] = field(default_factory=dict)


Loaded = dict[int, LoadedInstance]


def is_big(outputs: Mapping[str, Any]) -> bool:
    """Return whether these outputs are too big to be kept in memory once they are stored."""
    return not isinstance(outputs, StoredOutputs) and len(to_json(outputs).encode()) > BIG_OUTPUTS_BYTES


class Instances:
    """Reads runs for a master.

    Args:
        engine: Opened with the role `master`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def load(self, ids: Iterable[int], *, lock: bool = False, whole: Collection[int] = ()) -> Loaded:
        """Return the runs that exist, with the current attempts of the unfinished ones, without big outputs.

        Args:
            ids: Workflow instance ids.
            lock: Wait for a transaction that may still be committing them.
            whole: Of these the attempts are wanted although they have ended: a command may let them run again.

        Raises:
            StoreUnavailable: The database is away.
        """
        wanted = sorted(set(ids))
        if not wanted:
            return {}
        transaction = writing if lock else reading
        with transaction(self._engine) as connection:
            # Heads first: attempts that are newer than their head make the next commit fail its revision
            # check; the other way round nobody would notice.
            heads = _heads(connection, wanted, lock=lock)
            asked = [
                number
                for number, (head, _) in heads.items()
                if head.state not in WORKFLOW_FINAL or number in whole
            ]
            attempts = _current_attempts(connection, asked)
            spent = _spent(connection, [number for number in asked if heads[number][0].run_count > 1])
        return {
            number: LoadedInstance(
                head=head,
                revision=revision,
                attempts=tuple(attempts.get(number, ())),
                spent=spent.get(number, {}),
            )
            for number, (head, revision) in heads.items()
        }

    def attempts(self, keys: Iterable[AttemptKey]) -> dict[AttemptKey, TaskInstance]:
        """Return single attempts by workflow instance, task and attempt; those that do not exist are missing.

        Raises:
            StoreUnavailable: The database is away.
        """
        found: dict[AttemptKey, TaskInstance] = {}
        with reading(self._engine) as connection:
            for some in chunks(set(keys), KEYS_AT_ONCE):
                statement = select(*ATTEMPT_COLUMNS).where(tuple_(*KEY_COLUMNS).in_(some))
                for row in connection.execute(statement).mappings():
                    attempt = attempt_of(row)
                    found[attempt.key] = attempt
        return found

    def outputs(self, keys: Iterable[AttemptKey]) -> dict[AttemptKey, Mapping[str, Any]]:
        """Return the outputs of single attempts: those that memory does not keep.

        Raises:
            StoreUnavailable: The database is away.
        """
        found: dict[AttemptKey, Mapping[str, Any]] = {}
        with reading(self._engine) as connection:
            for some in chunks(set(keys), KEYS_AT_ONCE):
                statement = select(*KEY_COLUMNS, task_instance.c.outputs)
                rows = connection.execute(statement.where(tuple_(*KEY_COLUMNS).in_(some)))
                found.update({(row[0], row[1], row[2]): row.outputs for row in rows})
        return found

    def unfinished(self, slots: Collection[int], after_id: int = 0, limit: int = 1000) -> list[int]:
        """Return ids of unfinished runs of these slots, ascending, to be loaded at a takeover.

        Args:
            slots: Slots to look into.
            after_id: Only higher ids: the last one of the page before.
            limit: The most ids to return.

        Raises:
            StoreUnavailable: The database is away.
        """
        if not slots:
            return []
        asked = {"slots": sorted(slots), "after": after_id, "most": limit}
        with reading(self._engine) as connection:
            return list(connection.execute(UNFINISHED_IDS, asked).scalars())

    def environments(self, names: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
        """Return the variables of these environments, by name; of those that there are.

        Raises:
            StoreUnavailable: The database is away.
        """
        return Environments(self._engine).find(names)

    def definition(self, definition_id: int) -> WorkflowDefinition:
        """Return the definition that a run is pinned to.

        Raises:
            NotFound: There is none of this id.
            StoreUnavailable: The database is away.
        """
        with reading(self._engine) as connection:
            document = connection.execute(DOCUMENT, {"asked": definition_id}).scalar_one_or_none()
        if document is None:
            raise NotFound(f"there is no workflow definition with the id {definition_id}")
        return from_document(document)

    def slots(self) -> int:
        """Return the number of slots, fixed when the database was created.

        Raises:
            StoreUnavailable: The database is away.
        """
        with reading(self._engine) as connection:
            slots: int = connection.execute(select(deployment.c.slots)).scalar_one()
        return slots


def _heads(connection: Connection, ids: list[int], *, lock: bool) -> dict[int, tuple[Head, int]]:
    heads: dict[int, tuple[Head, int]] = {}
    for some in chunks(ids, KEYS_AT_ONCE):
        rows = connection.execute(LOCKED_HEADS if lock else HEADS, {"ids": some}).mappings()
        heads.update({row["id"]: (head_of(row), row["revision"]) for row in rows})
    return heads


def _current_attempts(connection: Connection, ids: list[int]) -> dict[int, list[TaskInstance]]:
    attempts: dict[int, list[TaskInstance]] = {}
    statement = CURRENT_ATTEMPTS[is_postgres(connection)]
    for some in chunks(ids, KEYS_AT_ONCE):
        for row in connection.execute(statement, {"ids": some}).mappings():
            attempts.setdefault(row["workflow_instance_id"], []).append(_lean_attempt(row))
    return attempts


def _spent(connection: Connection, ids: list[int]) -> dict[int, dict[str, int]]:
    """Return the last attempt's number of each task that has attempts and no current one, by instance."""
    spent: dict[int, dict[str, int]] = {}
    for some in chunks(ids, KEYS_AT_ONCE):
        for number, task, attempt in connection.execute(SPENT, {"ids": some}):
            spent.setdefault(number, {})[task] = attempt
    return spent


def _lean_attempt(row: RowMapping) -> TaskInstance:
    attempt = attempt_of(row)
    if row["output_names"] is None:
        return attempt
    return replace(attempt, outputs=StoredOutputs(row["output_names"]))
