"""Owns how alerts get into the outbox, in anybody's transaction."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from orchestrator.core.command import Alert
from orchestrator.store.schema import outbox
from orchestrator.store.session import is_postgres


def write_outbox(connection: Connection, alerts: Sequence[Alert], now: datetime) -> None:
    """Insert the alerts; a key that stands there already is the same fact, and stays as it is."""
    if not alerts:
        return
    dialect = postgresql if is_postgres(connection) else sqlite
    connection.execute(
        dialect.insert(outbox).on_conflict_do_nothing(index_elements=["key"]),
        [
            {
                "key": one.key,
                "slot": one.slot,
                "workflow_instance_id": one.workflow_instance_id,
                "kind": one.kind,
                "body": dict(one.body),
                "created_at": now,
                "due_at": now,
                "tries": 0,
            }
            for one in alerts
        ],
    )
