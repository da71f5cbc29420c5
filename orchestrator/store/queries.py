"""Owns the read model: runs, definitions and masters as the documents that CLI and API show."""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, RowMapping, Select, func, select

from orchestrator.core.command import CommandKind
from orchestrator.core.definition import to_document
from orchestrator.core.instance import TaskInstance
from orchestrator.core.status import WorkflowState
from orchestrator.errors import NotFound
from orchestrator.store.clock import database_now
from orchestrator.store.definitions import Definitions
from orchestrator.store.documents import Document, as_text, as_texts, run_document
from orchestrator.store.outbox import IS_DELIVERY, TARGET
from orchestrator.store.rows import ATTEMPT_COLUMNS, attempt_of
from orchestrator.store.schema import (
    UNFINISHED,
    backfill,
    backfill_run,
    command,
    master,
    outbox,
    slot_lease,
    task_instance,
    workflow_definition,
    workflow_instance,
)
from orchestrator.store.session import reading

run = workflow_instance.c

SEEN_WITHIN = timedelta(seconds=60)
"""A master that was not seen for longer is not shown: it was killed."""

LISTED = (
    "id",
    "workflow",
    "version",
    "state",
    "parent",
    "planned_time",
    "submitted_at",
    "started_at",
    "ended_at",
)


class Queries:
    """Answers questions about what is stored; INTERFACE sections 2 and 7 say how each document looks.

    Args:
        engine: Of any role.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def run(self, workflow_instance_id: int) -> Document:
        """Return one run with all its attempts in order of submission, and its outputs.

        Raises:
            NotFound: There is no such run.
            StoreUnavailable: The database is away.
        """
        with reading(self._engine) as connection:
            row = _run_row(connection, workflow_instance_id)
            attempts = _attempts(connection, workflow_instance_id)
        return run_document(row, attempts)

    def runs(
        self,
        *,
        state: WorkflowState | None = None,
        workflow: str | None = None,
        limit: int = 50,
        before_id: int | None = None,
    ) -> list[Document]:
        """Return runs, newest first.

        Args:
            state: Only runs in this state.
            workflow: Only runs of the definition of this name.
            limit: The most runs to return.
            before_id: Only runs with a lower id: the last one of the page before.

        Raises:
            StoreUnavailable: The database is away.
        """
        columns = [run.parent_id.label(name) if name == "parent" else run[name] for name in LISTED]
        statement = select(*columns).order_by(run.id.desc()).limit(limit)
        if state is not None:
            statement = statement.where(run.state == state.value)
        if workflow is not None:
            statement = statement.where(run.workflow == workflow)
        if before_id is not None:
            statement = statement.where(run.id < before_id)
        with reading(self._engine) as connection:
            return [as_texts(row) for row in connection.execute(statement).mappings()]

    def states(self, ids: Collection[int]) -> dict[int, WorkflowState]:
        """Return the states of these runs, for somebody who waits; those that do not exist are missing.

        Raises:
            StoreUnavailable: The database is away.
        """
        statement = select(run.id, run.state).where(run.id.in_(sorted(ids)))
        with reading(self._engine) as connection:
            return {number: WorkflowState(state) for number, state in connection.execute(statement)}

    def going_on(self, ids: Collection[int]) -> set[int]:
        """Return which of these runs have not ended, or are about to run again because a command says so.

        Raises:
            StoreUnavailable: The database is away.
        """
        asked = select(command.c.workflow_instance_id).where(
            command.c.workflow_instance_id.in_(sorted(ids)),
            command.c.kind.in_([CommandKind.RECOVER.value, CommandKind.RERUN.value]),
        )
        with reading(self._engine) as connection:
            # Commands first: one that goes away does so together with the change of state that it makes.
            again = set(connection.execute(asked).scalars())
            again |= set(connection.execute(_waiting_for_rerun(ids)).scalars())
            unfinished = select(run.id).where(run.id.in_(sorted(ids)), UNFINISHED)
            return again | set(connection.execute(unfinished).scalars())

    def undelivered_alerts(self) -> list[Document]:
        """Return targets that alerts have failed to reach, each with `target`, `waiting`, `since`, `error`.

        Raises:
            StoreUnavailable: The database is away.
        """
        failed = outbox.c.delivered_at.is_(None) & (outbox.c.tries > 0) & IS_DELIVERY
        statement = (
            select(
                TARGET.label("target"),
                func.count().label("waiting"),
                func.min(outbox.c.created_at).label("since"),
                func.max(outbox.c.last_error).label("error"),
            )
            .where(failed)
            .group_by(TARGET)
            .order_by(TARGET)
        )
        with reading(self._engine) as connection:
            return [dict(row) for row in connection.execute(statement).mappings()]

    def definitions(self) -> list[Document]:
        """Return the last version of every definition, by name.

        Raises:
            StoreUnavailable: The database is away.
        """
        return [
            {
                "name": stored.definition.name,
                "version": stored.version,
                "online": stored.online,
                "description": stored.definition.description,
            }
            for stored in Definitions(self._engine).list()
        ]

    def definition(self, name: str, version: int | None = None) -> Document:
        """Return a version of a definition with all that it says; by default the last one.

        Raises:
            NotFound: There is none of this name, or not this version.
            StoreUnavailable: The database is away.
        """
        stored = Definitions(self._engine).get(name, version)
        return {
            "name": name,
            "version": stored.version,
            "online": stored.online,
            "created_at": as_text(stored.created_at),
            "hash": stored.definition.hash,
            **to_document(stored.definition),
        }

    def masters(self) -> list[Document]:
        """Return the masters that were seen within the last minute and have not left, with the slots they hold.

        Raises:
            StoreUnavailable: The database is away.
        """
        held = slot_lease.join(master, slot_lease.c.owner == master.c.incarnation)
        leases = select(slot_lease.c.owner, slot_lease.c.slot, slot_lease.c.epoch).select_from(held)
        with reading(self._engine) as connection:
            here = master.c.left_at.is_(None) & (
                master.c.last_heartbeat >= database_now(connection) - SEEN_WITHIN
            )
            statement = select(master).where(here).order_by(master.c.name, master.c.started_at)
            rows = connection.execute(statement).mappings().all()
            found = connection.execute(leases.order_by(slot_lease.c.slot)).all()
        return [
            {
                "name": row["name"],
                "incarnation": row["incarnation"],
                "slots": [slot for owner, slot, _ in found if owner == row["incarnation"]],
                "epoch_max": max(
                    (epoch for owner, _, epoch in found if owner == row["incarnation"]), default=0
                ),
                "last_heartbeat": as_text(row["last_heartbeat"]),
                "host": row["host"],
                "pid": row["pid"],
                "version": row["version"],
                "started_at": as_text(row["started_at"]),
            }
            for row in rows
        ]

    def counts(self) -> dict[str, int]:
        """Return how many runs there are in each state that occurs.

        Raises:
            StoreUnavailable: The database is away.
        """
        statement = select(run.state, func.count()).group_by(run.state)
        with reading(self._engine) as connection:
            return {row[0]: row[1] for row in connection.execute(statement)}

    def now(self) -> datetime:
        """Return the database's time, aware UTC.

        Raises:
            StoreUnavailable: The database is away.
        """
        with reading(self._engine) as connection:
            return database_now(connection)


def _waiting_for_rerun(ids: Collection[int]) -> Select[tuple[int]]:
    """Return the query for those of these runs that a backfill has not yet run again."""
    part = backfill_run.c
    joined = backfill_run.join(backfill, backfill.c.id == part.backfill_id)
    joined = joined.join(workflow_instance, run.id == part.workflow_instance_id)
    return (
        select(part.workflow_instance_id)
        .select_from(joined)
        .where(part.workflow_instance_id.in_(sorted(ids)), part.rerun_of == run.run_count)
        .where(part.released_at.is_(None), ~part.done, backfill.c.ended_at.is_(None))
    )


def _run_row(connection: Connection, workflow_instance_id: int) -> RowMapping:
    joined = workflow_instance.join(workflow_definition)
    statement = select(workflow_instance, workflow_definition.c.document).select_from(joined)
    row = connection.execute(statement.where(run.id == workflow_instance_id)).mappings().one_or_none()
    if row is None:
        raise NotFound(f"there is no run {workflow_instance_id}")
    return row


def _attempts(connection: Connection, workflow_instance_id: int) -> list[TaskInstance]:
    statement = select(*ATTEMPT_COLUMNS).where(task_instance.c.workflow_instance_id == workflow_instance_id)
    ordered = statement.order_by(task_instance.c.sequence, task_instance.c.attempt)
    return [attempt_of(row) for row in connection.execute(ordered).mappings()]
