"""Owns the outbox: what people are told, at least once, whatever crashes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    bindparam,
    delete,
    literal_column,
    select,
    update,
)

from orchestrator.core.alerting import Channel, Target
from orchestrator.core.command import Alert
from orchestrator.store.among import among
from orchestrator.store.clock import Now, database_now
from orchestrator.store.outbox_rows import write_outbox
from orchestrator.store.schema import outbox, workflow_definition, workflow_instance
from orchestrator.store.session import reading, writing

KEPT_FOR = timedelta(days=7)
"""How long a delivered alert that belongs to no run refuses repeats: an event comes again within minutes."""

MOST_FORGOTTEN = 1000
"""So many rows one delivery deletes at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxEntry:
    """One alert to be told, or one delivery of it to a target: their kinds tell them apart.

    Attributes:
        key: The same in every try: the receiver can tell a repeat by it.
        kind: The event, or of a delivery its channel.
        created_at: When it was noted, aware UTC.
        tries: How often it was tried and put off.
    """

    id: int
    key: str
    slot: int
    workflow_instance_id: int | None
    kind: str
    body: Mapping[str, Any]
    created_at: datetime
    tries: int

    @property
    def alert(self) -> Alert:
        """The fact, as it was noted."""
        return Alert(
            key=self.key,
            slot=self.slot,
            workflow_instance_id=self.workflow_instance_id,
            kind=self.kind,
            body=self.body,
        )

    @property
    def target(self) -> Target:
        """Where this delivery goes."""
        return Target(channel=Channel(self.kind), address=str(self.body["target"]))


COLUMNS = tuple(outbox.c[name] for name in OutboxEntry.__slots__)
IS_DELIVERY = outbox.c.kind.in_([literal_column(f"'{channel.value}'") for channel in Channel])
TARGET = outbox.c.kind + ":" + outbox.c.body["target"].as_string()
"""A delivery's target as `str(target)` writes it."""


def _due(chosen: ColumnElement[bool]) -> Select[Any]:
    has_come = outbox.c.due_at <= select(Now()).scalar_subquery()  # asked once, not for each row
    return (
        select(*COLUMNS)
        .where(outbox.c.delivered_at.is_(None), has_come, chosen, among(outbox.c.slot, "slots"))
        .order_by(outbox.c.due_at, outbox.c.id)
        .limit(bindparam("most"))
    )


DUE_ALERTS = _due(~IS_DELIVERY)
DUE_DELIVERIES = _due(IS_DELIVERY & ~among(TARGET, "without"))


class Outbox:
    """Reads what is due, notes what became of it. Delivered rows stay as long as their runs: keys refuse repeats.

    Those that belong to no run would stay for ever: they go when they are so old that no repeat can come any more.

    Args:
        engine: Of any role.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def due(self, slots: Collection[int], limit: int) -> list[OutboxEntry]:
        """Return the alerts of these slots that nobody was told of yet, the oldest first.

        Raises:
            StoreUnavailable: The database is away.
        """
        return self._read(DUE_ALERTS, slots, limit)

    def due_deliveries(
        self, slots: Collection[int], limit: int, without: Collection[str]
    ) -> list[OutboxEntry]:
        """Return the deliveries of these slots whose time has come, the oldest first.

        Args:
            slots: The slots.
            limit: So many at most.
            without: Targets (`webhook:ops`) that are left alone now, however much waits for them.

        Raises:
            StoreUnavailable: The database is away.
        """
        return self._read(DUE_DELIVERIES, slots, limit, without=sorted(without))

    def rules(self, runs: Collection[int]) -> dict[int, list[Mapping[str, Any]]]:
        """Return the `alerts` of the definitions that these runs are pinned to, by run; of those that have some.

        Raises:
            StoreUnavailable: The database is away.
        """
        if not runs:
            return {}
        statement = (
            select(workflow_instance.c.id, workflow_definition.c.document["alerts"])
            .select_from(workflow_instance.join(workflow_definition))
            .where(workflow_instance.c.id.in_(sorted(runs)))
        )
        with reading(self._engine) as connection:
            return {number: rules for number, rules in connection.execute(statement) if rules}

    def tell(self, ids: Collection[int], deliveries: Sequence[Alert]) -> None:
        """Note that these alerts were told, and what is to be delivered of them, in one transaction.

        Args:
            ids: The alerts.
            deliveries: One row for each target; one that stands there already stays as it is.

        Raises:
            StoreUnavailable: The database is away.
        """
        with writing(self._engine) as connection:
            now = database_now(connection)
            write_outbox(connection, deliveries, now)
            _note_delivered(connection, ids, now)

    def _read(
        self, statement: Select[Any], slots: Collection[int], limit: int, **more: object
    ) -> list[OutboxEntry]:
        if not slots:
            return []
        asked = {"slots": sorted(slots), "most": limit, **more}
        with reading(self._engine) as connection:
            return [OutboxEntry(**row) for row in connection.execute(statement, asked).mappings()]

    def delivered(self, ids: Collection[int]) -> None:
        """Note that these alerts have arrived; forget those of no run that arrived long ago.

        Raises:
            StoreUnavailable: The database is away.
        """
        with writing(self._engine) as connection:
            _note_delivered(connection, ids, database_now(connection))

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


def _note_delivered(connection: Connection, ids: Collection[int], now: datetime) -> None:
    connection.execute(update(outbox).where(outbox.c.id.in_(sorted(ids))).values(delivered_at=now))
    _forget(connection, outbox.c.delivered_at < now - KEPT_FOR)


def _forget(connection: Connection, is_old: ColumnElement[bool]) -> None:
    """Delete old alerts of no run, but those that another master deletes at this moment."""
    chosen = select(outbox.c.id).where(outbox.c.workflow_instance_id.is_(None), is_old)
    chosen = chosen.order_by(outbox.c.id).limit(MOST_FORGOTTEN).with_for_update(skip_locked=True)
    connection.execute(delete(outbox).where(outbox.c.id.in_(chosen)))
