"""Owns the command rows: what people, schedules and other instances ask of a workflow instance."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Engine, delete, insert, select

from orchestrator.core.command import Command, CommandKind
from orchestrator.errors import NotFound
from orchestrator.store.clock import database_now
from orchestrator.store.rows import COMMAND_COLUMNS, command_of
from orchestrator.store.schema import command, error_command, workflow_instance
from orchestrator.store.session import reading, writing


class Commands:
    """Reads and writes commands; the group commit deletes what it applied.

    Args:
        engine: Of any role.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def pending(
        self, slots: Collection[int], limit: int, *, starts: bool = True, skip: Collection[int] = ()
    ) -> list[Command]:
        """Return the oldest commands of these slots, in the order in which they were sent.

        Args:
            slots: Slots to look into.
            limit: The most commands to return.
            starts: Whether STARTs are wanted; an overloaded master takes none.
            skip: Workflow instances whose lanes are parked: their commands wait.

        Raises:
            StoreUnavailable: The database is away.
        """
        if not slots:
            return []
        statement = (
            select(*COMMAND_COLUMNS)
            .where(command.c.slot.in_(sorted(slots)))
            .order_by(command.c.id)
            .limit(limit)
        )
        if not starts:
            statement = statement.where(command.c.kind != CommandKind.START)
        if skip:
            statement = statement.where(command.c.workflow_instance_id.not_in(sorted(skip)))
        with reading(self._engine) as connection:
            return [command_of(row) for row in connection.execute(statement).mappings()]

    def send(
        self, workflow_instance_id: int, kind: CommandKind, body: Mapping[str, Any] | None = None
    ) -> Command:
        """Store a command and return it; its slot is the one whose master is to be woken.

        Raises:
            NotFound: There is no such instance.
            StoreUnavailable: The database is away.
        """
        with writing(self._engine) as connection:
            slot = connection.scalar(
                select(workflow_instance.c.slot).where(workflow_instance.c.id == workflow_instance_id)
            )
            if slot is None:
                raise NotFound(f"there is no run {workflow_instance_id}")
            values = {
                "slot": slot,
                "workflow_instance_id": workflow_instance_id,
                "kind": kind.value,
                "body": dict(body or {}),
                "created_at": database_now(connection),
            }
            inserted = connection.execute(insert(command).values(**values).returning(command.c.id))
            return command_of({**values, "id": inserted.scalar_one()})

    def failed(self, limit: int = 100) -> list[dict[str, Any]]:
        """Return the newest commands that could never succeed, with their reasons.

        Raises:
            StoreUnavailable: The database is away.
        """
        statement = select(error_command).order_by(error_command.c.id.desc()).limit(limit)
        with reading(self._engine) as connection:
            return [dict(row) for row in connection.execute(statement).mappings()]

    def redrive(self, ids: Collection[int]) -> int:
        """Send failed commands once more; return how many there were.

        Raises:
            StoreUnavailable: The database is away.
        """
        chosen = error_command.c.id.in_(sorted(ids))
        kept = ("slot", "workflow_instance_id", "kind", "body", "created_at")
        columns = [error_command.c[name] for name in kept]
        with writing(self._engine) as connection:
            connection.execute(insert(command).from_select(kept, select(*columns).where(chosen)))
            return connection.execute(delete(error_command).where(chosen)).rowcount
