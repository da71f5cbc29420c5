"""Owns what a master asks about children: which workflow is called, by whom, and how a child stands."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, Text, cast, func, literal, select, text

from orchestrator.core.command import CommandKind
from orchestrator.core.definition import ParameterDefinition, WorkflowDefinition, from_document
from orchestrator.core.instance import TaskInstance
from orchestrator.core.status import WorkflowState
from orchestrator.core.workflow_outputs import workflow_outputs
from orchestrator.errors import DefinitionError, UnresolvedParameter
from orchestrator.store.bulk import KEYS_AT_ONCE, chunks
from orchestrator.store.new_runs import next_ids, slots_of
from orchestrator.store.rows import ATTEMPT_COLUMNS, attempt_of, head_of
from orchestrator.store.schema import command, task_instance, workflow_definition, workflow_instance
from orchestrator.store.session import is_postgres, reading, writing

DEFINITIONS_KEPT = 128

run = workflow_instance.c
version = workflow_definition.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Callee:
    """The last version of a workflow that a task wants to start.

    Attributes:
        params: Its declared parameters.
    """

    definition_id: int
    version: int
    online: bool
    params: Mapping[str, ParameterDefinition]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildStanding:
    """How a child stands.

    Attributes:
        outputs: Of one that has succeeded.
        fault: Why its outputs cannot be worked out.
        is_to_recover: Its parent has asked it to run again, and it has not heard of that yet.
    """

    state: WorkflowState
    reason: str | None = None
    outputs: Mapping[str, Any] = field(default_factory=dict)
    fault: str | None = None
    is_to_recover: bool = False


class Children:
    """Answers a master's questions about children.

    Args:
        engine: Opened with the role `master`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._slots: int | None = None
        self._definition = lru_cache(maxsize=DEFINITIONS_KEPT)(self._load_definition)

    def callees(self, names: Collection[str]) -> dict[str, Callee]:
        """Return the last version of each of these workflows; those that do not exist are missing.

        Raises:
            StoreUnavailable: The database is away.
        """
        last = (
            select(version.name, func.max(version.version).label("version"))
            .where(version.name.in_(sorted(names)))
            .group_by(version.name)
            .subquery()
        )
        joined = workflow_definition.join(
            last, (version.name == last.c.name) & (version.version == last.c.version)
        )
        columns = (version.id, version.name, version.version, version.online)
        with reading(self._engine) as connection:
            rows = connection.execute(select(*columns).select_from(joined)).all()
        return {
            row.name: Callee(
                definition_id=row.id,
                version=row.version,
                online=row.online,
                params=self._definition(row.id).params,
            )
            for row in rows
        }

    def ancestors(self, ids: Collection[int]) -> dict[int, tuple[str, ...]]:
        """Return the workflows that led to each of these runs, the first one first, itself last.

        Raises:
            StoreUnavailable: The database is away.
        """
        columns = (run.id.label("asked"), run.workflow, run.parent_id, literal(0).label("steps"))
        chain = select(*columns).where(run.id.in_(sorted(ids))).cte("chain", recursive=True)
        above = select(chain.c.asked, run.workflow, run.parent_id, chain.c.steps + 1)
        chain = chain.union_all(above.join(workflow_instance, run.id == chain.c.parent_id))
        statement = select(chain.c.asked, chain.c.workflow).order_by(chain.c.asked, chain.c.steps.desc())
        found: dict[int, tuple[str, ...]] = {}
        with reading(self._engine) as connection:
            for asked, workflow in connection.execute(statement):
                found[asked] = (*found.get(asked, ()), workflow)
        return found

    def reserve(self, number: int) -> list[int]:
        """Return ids that no other run will ever have, ascending.

        Raises:
            StoreUnavailable: The database is away.
            CommitInDoubt: They may be reserved, for nobody.
        """
        with writing(self._engine) as connection:
            ids = next_ids(connection, workflow_instance, number)
            if not is_postgres(connection):
                connection.execute(_SQLITE_RESERVE, {"last": ids[-1]})
        return ids

    def slots(self) -> int:
        """Return the number of slots, fixed when the database was created.

        Raises:
            StoreUnavailable: The database is away.
        """
        if self._slots is None:
            with reading(self._engine) as connection:
                self._slots = slots_of(connection)
        return self._slots

    def standings(self, ids: Collection[int]) -> dict[int, ChildStanding]:
        """Return how these runs stand, with outputs of those that succeeded; those that do not exist are missing.

        Raises:
            StoreUnavailable: The database is away.
        """
        with reading(self._engine) as connection:
            # Before the rows: mail that has gone by then has changed them.
            asked = _asked_to_recover(connection, ids)
            statement = select(workflow_instance).where(run.id.in_(sorted(ids)))
            rows = connection.execute(statement).mappings().all()
            succeeded = [row["id"] for row in rows if row["state"] == WorkflowState.SUCCESS]
            attempts = _attempts_with_outputs(connection, succeeded)
        found = {row["id"]: self._standing(row, attempts.get(row["id"], {})) for row in rows}
        revived = [number for number in asked if number in found and found[number].state in _REVIVABLE]
        return found | {number: replace(found[number], is_to_recover=True) for number in revived}

    def _standing(self, row: RowMapping, attempts: Mapping[str, TaskInstance]) -> ChildStanding:
        state = WorkflowState(row["state"])
        if state is not WorkflowState.SUCCESS:
            return ChildStanding(state=state, reason=row["reason"])
        try:
            outputs = workflow_outputs(self._definition(row["definition_id"]), head_of(row), attempts)
        except (DefinitionError, UnresolvedParameter) as error:
            return ChildStanding(state=state, fault=str(error))
        return ChildStanding(state=state, outputs=outputs)

    def _load_definition(self, definition_id: int) -> WorkflowDefinition:
        statement = select(version.document).where(version.id == definition_id)
        with reading(self._engine) as connection:
            return from_document(connection.execute(statement).scalar_one())


_SQLITE_RESERVE = text("UPDATE sqlite_sequence SET seq = :last WHERE name = 'workflow_instance'")


_REVIVABLE = frozenset({WorkflowState.FAILURE, WorkflowState.STOPPED})
"""States that a RECOVER ends."""


def _asked_to_recover(connection: Connection, ids: Collection[int]) -> list[int]:
    """Return which of these runs have a parent's RECOVER waiting; people's may come to nothing, unanswered."""
    if not ids:
        return []
    columns, slots = command.c, slots_of(connection)
    waiting = select(columns.workflow_instance_id).where(
        columns.slot.in_(sorted({number % slots for number in ids})),  # commands are found by their slot
        columns.workflow_instance_id.in_(sorted(ids)),
        columns.kind == CommandKind.RECOVER,
        cast(columns.body, Text).contains('"parent"'),  # as text: whatever else waits may be no JSON
    )
    return list(connection.execute(waiting).scalars())


def _attempts_with_outputs(
    connection: Connection, ids: Collection[int]
) -> dict[int, dict[str, TaskInstance]]:
    """Return the current attempts of these runs, by run and task."""
    found: dict[int, dict[str, TaskInstance]] = {}
    columns = task_instance.c
    for some in chunks(ids, KEYS_AT_ONCE):
        statement = select(*ATTEMPT_COLUMNS).where(columns.workflow_instance_id.in_(some), columns.current)
        for row in connection.execute(statement).mappings():
            if row["outputs"]:
                found.setdefault(row["workflow_instance_id"], {})[row["task"]] = attempt_of(row)
    return found
