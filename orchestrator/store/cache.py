"""Owns the stored cache: which attempt's outputs count under which key. The outputs stay in the attempt's row."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Engine, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from orchestrator.core.cache import CachedOutputs, CacheEntry
from orchestrator.core.status import TaskState
from orchestrator.store.among import among
from orchestrator.store.bulk import KEYS_AT_ONCE, chunks
from orchestrator.store.clock import database_now
from orchestrator.store.schema import task_cache, task_instance
from orchestrator.store.session import is_postgres, reading, writing

entry = task_cache.c
row = task_instance.c

_SAME = (
    (row.workflow_instance_id == entry.workflow_instance_id)
    & (row.task == entry.task)
    & (row.attempt == entry.attempt)
)
FOUND = (
    select(entry.key, entry.workflow_instance_id, row.outputs)
    .select_from(task_cache.join(task_instance, _SAME))
    .where(row.state == TaskState.SUCCESS.value, among(entry.key, "keys"))
)


class Cache:
    """Reads and clears what is kept.

    Args:
        engine: Of any role.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find(self, keys: Collection[str]) -> dict[str, CachedOutputs]:
        """Return what is kept under these keys, in one query; of those under which something is.

        Raises:
            StoreUnavailable: The database is away.
        """
        if not keys:
            return {}
        with reading(self._engine) as connection:
            return {
                key: CachedOutputs(workflow_instance_id=number, outputs=outputs)
                for key, number, outputs in connection.execute(FOUND, {"keys": sorted(keys)})
            }

    def clear(
        self, workflow: str | None = None, task: str | None = None, *, older_than_s: float | None = None
    ) -> int:
        """Forget what is kept; return how many entries that were.

        Args:
            workflow: Only of this workflow.
            task: Only of this task of it.
            older_than_s: Only what was kept for longer, in seconds, by the database's clock.

        Raises:
            StoreUnavailable: The database is away; nothing was forgotten.
        """
        with writing(self._engine) as connection:
            chosen = _chosen(connection, workflow, task, older_than_s)
            # in the order in which masters write them, so that nobody waits for the other
            keys = select(entry.key).where(*chosen).order_by(entry.key)
            locked = connection.execute(keys.with_for_update()).scalars().all()
            for some in chunks(locked, KEYS_AT_ONCE):
                connection.execute(delete(task_cache).where(entry.key.in_(some)))
        return len(locked)

    def count(self, workflow: str | None = None, task: str | None = None) -> int:
        """Return how many entries there are, of this workflow and task if they are given.

        Raises:
            StoreUnavailable: The database is away.
        """
        with reading(self._engine) as connection:
            chosen = _chosen(connection, workflow, task, None)
            statement = select(func.count()).select_from(task_cache).where(*chosen)
            number: int = connection.execute(statement).scalar_one()
        return number


def write_entries(connection: Connection, entries: Sequence[CacheEntry], now: datetime) -> None:
    """Keep outputs, in the transaction of the success that gave them; the last one under a key counts."""
    if not entries:
        return
    dialect = postgresql if is_postgres(connection) else sqlite
    fresh = dialect.insert(task_cache)
    given = {name: fresh.excluded[name] for name in ("workflow_instance_id", "task", "attempt", "created_at")}
    latest = {one.key: one for one in entries}
    connection.execute(
        fresh.on_conflict_do_update(index_elements=["key"], set_=given),
        [
            {
                "key": key,
                "workflow": latest[key].workflow,
                "task": latest[key].task,
                "workflow_instance_id": latest[key].workflow_instance_id,
                "attempt": latest[key].attempt,
                "created_at": now,
            }
            for key in sorted(latest)  # the same order for everybody: two masters may keep the same keys
        ],
    )


def _chosen(
    connection: Connection, workflow: str | None, task: str | None, older_than_s: float | None
) -> list[ColumnElement[bool]]:
    chosen: list[ColumnElement[bool]] = []
    if workflow is not None:
        chosen.append(entry.workflow == workflow)
    if task is not None:
        chosen.append((entry.task == task) | entry.task.startswith(f"{task}[", autoescape=True))
    if older_than_s is not None:
        chosen.append(entry.created_at < database_now(connection) - timedelta(seconds=older_than_s))
    return chosen
