"""Owns the command rows: what people, schedules and other instances ask of a workflow instance."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import (
    Column,
    Engine,
    Label,
    RowMapping,
    Select,
    Text,
    bindparam,
    cast,
    delete,
    insert,
    select,
)

from orchestrator.core.command import Command, CommandKind
from orchestrator.errors import NotFound
from orchestrator.store.among import among
from orchestrator.store.clock import database_now
from orchestrator.store.rows import COMMAND_COLUMNS, command_of
from orchestrator.store.schema import command, error_command, workflow_instance
from orchestrator.store.session import reading, writing


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A row that is no command this program knows: of another kind, or with a body that cannot be read."""

    id: int
    slot: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """What waits for a master, each part in the order in which it was sent."""

    commands: tuple[Command, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()

    def __len__(self) -> int:
        return len(self.commands) + len(self.unreadable)


_COLUMNS = tuple(one for one in COMMAND_COLUMNS if one.name != "body")


def _text(body: Column[Any]) -> Label[str]:
    """Return a body as it is stored: one row that is no JSON must not make the others unreadable."""
    return cast(body, Text).label("body")


def _waiting(*, starts: bool) -> Select[Any]:
    """Return the query for what waits, with the STARTs or without them."""
    statement = (
        select(*_COLUMNS, _text(command.c.body))
        .where(among(command.c.slot, "slots"), ~among(command.c.workflow_instance_id, "skip"))
        .order_by(command.c.id)
        .limit(bindparam("most"))
    )
    return statement if starts else statement.where(command.c.kind != CommandKind.START)


WAITING = {starts: _waiting(starts=starts) for starts in (True, False)}
"""By whether STARTs are wanted."""


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
        """Return the oldest commands of these slots, without those that cannot be read; as `look` otherwise.

        Raises:
            StoreUnavailable: The database is away.
        """
        return list(self.look(slots, limit, starts=starts, skip=skip).commands)

    def look(
        self, slots: Collection[int], limit: int, *, starts: bool = True, skip: Collection[int] = ()
    ) -> Pending:
        """Return the oldest rows of these slots, in the order in which they were sent.

        Args:
            slots: Slots to look into.
            limit: The most rows to return.
            starts: Whether STARTs are wanted; an overloaded master takes none.
            skip: Workflow instances whose lanes are parked: their commands wait.

        Raises:
            StoreUnavailable: The database is away.
        """
        if not slots:
            return Pending()
        asked = {"slots": sorted(slots), "skip": sorted(skip), "most": limit}
        with reading(self._engine) as connection:
            read = [_read(row) for row in connection.execute(WAITING[starts], asked).mappings()]
        return Pending(
            commands=tuple(one for one in read if isinstance(one, Command)),
            unreadable=tuple(one for one in read if isinstance(one, Unreadable)),
        )

    def send(
        self, workflow_instance_id: int, kind: CommandKind, body: Mapping[str, Any] | None = None
    ) -> Command:
        """Store a command and return it; its slot is the one whose master is to be woken.

        The run's row is held until the command is there: whoever deletes it meanwhile either sees the command, and
        refuses, or is waited for, and the sender hears of it.

        Raises:
            NotFound: There is no such instance: it was deleted after the sender looked at it.
            StoreUnavailable: The database is away.
        """
        with writing(self._engine) as connection:
            run = select(workflow_instance.c.slot).where(workflow_instance.c.id == workflow_instance_id)
            held = run.with_for_update(read=True, key_share=True)  # no master's write waits for this
            slot = connection.scalar(held)
            if slot is None:
                raise NotFound(
                    f"there is no run {workflow_instance_id} any more: it was deleted before the"
                    f" {kind} was stored; see orchestrator runs list"
                )
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
        columns = [one for one in error_command.c if one.name != "body"]
        statement = select(*columns, _text(error_command.c.body)).order_by(error_command.c.id.desc())
        with reading(self._engine) as connection:
            rows = connection.execute(statement.limit(limit)).mappings().all()
        return [{**row, "body": _shown(row["body"])} for row in rows]

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


def _read(row: RowMapping) -> Command | Unreadable:
    try:
        return command_of({**row, "body": _body(row["body"])})
    except (ValueError, TypeError, RecursionError) as error:
        return Unreadable(id=row["id"], slot=row["slot"], reason=f"command cannot be read: {error}")


def _body(text: str) -> dict[str, Any]:
    body = msgspec.json.decode(text)
    if not isinstance(body, dict):
        raise ValueError(f"its body is a {type(body).__name__}, not a map")  # noqa: TRY004  what a reader gets
    return body


def _shown(text: str) -> Any:
    """Return a body for people, as text if it is nothing else."""
    try:
        return msgspec.json.decode(text)
    except (ValueError, TypeError, RecursionError):
        return text
