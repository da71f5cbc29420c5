"""Owns the outbox: what people are told, at least once, whatever crashes."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, delete, select, update

from orchestrator.store.clock import database_now
from orchestrator.store.schema import outbox
from orchestrator.store.session import reading, writing

KEPT_FOR = timedelta(days=7)
"""How long a delivered alert that belongs to no run refuses repeats: an event comes again within minutes."""

MOST_FORGOTTEN = 1000
"""So many rows one delivery deletes at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxEntry:
    """One alert to be delivered.

    Attributes:
        key: The same in every try: the receiver can tell a repeat by it.
        tries: How often it was tried and put off.
    """

    id: int
    key: str
    slot: int
    workflow_instance_id: int | None
    kind: str
    body: Mapping[str, Any]
    tries: int


COLUMNS = tuple(outbox.c[name] for name in OutboxEntry.__slots__)


class Outbox:
    """Reads what is due, notes what became of it. Delivered rows stay as long as their runs: keys refuse repeats.

    Those that belong to no run would stay for ever: they go when they are so old that no repeat can come any more.

    Args:
        engine: Of any role.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def due(self, slots: Collection[int], limit: int) -> list[OutboxEntry]:
        """Return the alerts of these slots whose time has come, the oldest first.

        Raises:
            StoreUnavailable: The database is away.
        """
        if not slots:
            return []
        with reading(self._engine) as connection:
            waiting = outbox.c.delivered_at.is_(None) & (outbox.c.due_at <= database_now(connection))
            rows = connection.execute(
                select(*COLUMNS)
                .where(waiting, outbox.c.slot.in_(sorted(slots)))
                .order_by(outbox.c.due_at, outbox.c.id)
                .limit(limit)
            )
            return [OutboxEntry(**row) for row in rows.mappings()]

    def delivered(self, ids: Collection[int]) -> None:
        """Note that these alerts have arrived; forget those of no run that arrived long ago.

        Raises:
            StoreUnavailable: The database is away.
        """
        with writing(self._engine) as connection:
            now = database_now(connection)
            connection.execute(update(outbox).where(outbox.c.id.in_(sorted(ids))).values(delivered_at=now))
            _forget(connection, outbox.c.delivered_at < now - KEPT_FOR)

    def postpone(self, entry_id: int, seconds: float, error: str = "") -> None:
        """Try this alert again so many seconds from now.

        Args:
            entry_id: Id of the entry.
            seconds: How long to wait.
            error: Why it did not arrive.

        Raises:
            StoreUnavailable: The database is away.
        """
        with writing(self._engine) as connection:
            due_at = database_now(connection) + timedelta(seconds=seconds)
            connection.execute(
                update(outbox)
                .where(outbox.c.id == entry_id)
                .values(due_at=due_at, tries=outbox.c.tries + 1, last_error=error or None)
            )


def _forget(connection: Connection, is_old: ColumnElement[bool]) -> None:
    """Delete old alerts of no run, but those that another master deletes at this moment."""
    chosen = select(outbox.c.id).where(outbox.c.workflow_instance_id.is_(None), is_old)
    chosen = chosen.order_by(outbox.c.id).limit(MOST_FORGOTTEN).with_for_update(skip_locked=True)
    connection.execute(delete(outbox).where(outbox.c.id.in_(chosen)))
