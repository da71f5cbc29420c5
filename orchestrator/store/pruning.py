"""Owns the deletion of old runs with everything that hangs on them, a bounded number in each transaction.

A run that somebody still needs is left alone: one of its family goes on, a command waits for it, people have not
been told of it, its backfill is open, or a dependent task may look at it. Rows are locked before they are judged,
so that a run that begins again at this moment is not seen as ended.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, RowMapping, Select, delete, exists, func, select

from orchestrator.core.definition import from_document
from orchestrator.core.dependence import needed_since
from orchestrator.crash import crash_point
from orchestrator.store.among import among
from orchestrator.store.clock import database_now
from orchestrator.store.deletion import FINAL, count_attempts, delete_rows, read_families
from orchestrator.store.schema import (
    UNFINISHED,
    backfill,
    backfill_run,
    command,
    outbox,
    workflow_definition,
    workflow_instance,
)
from orchestrator.store.session import reading, writing

FAMILIES_AT_ONCE = 100
ATTEMPTS_AT_ONCE = 5000

run = workflow_instance.c
version = workflow_definition.c

Needed = Mapping[str, datetime]
"""Workflow name to the planned time from which on its runs may still be looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What one step did.

    Attributes:
        runs: Ids that were deleted, children included; of a trial, that would be.
        attempts: How many attempts they had.
        kept: How many old families are still needed.
        last_id: Where the next step goes on; `None`: this was the last one.
    """

    runs: tuple[int, ...] = ()
    attempts: int = 0
    kept: int = 0
    last_id: int | None = None


class Pruning:
    """Deletes old runs.

    Args:
        engine: Of any role but a master's.
        most_families: So many families are looked at in a transaction.
        most_attempts: It deletes them as long as they have no more attempts, and at least one.
    """

    def __init__(
        self, engine: Engine, most_families: int = FAMILIES_AT_ONCE, most_attempts: int = ATTEMPTS_AT_ONCE
    ) -> None:
        self._engine = engine
        self._most_families = most_families
        self._most_attempts = most_attempts

    def needed(self) -> Needed:
        """Return which runs dependent tasks may still look at: those of workflows online, and of runs that go on.

        Raises:
            StoreUnavailable: The database is away.
        """
        last = select(func.max(version.id)).where(version.online).group_by(version.name)
        oldest = (
            select(run.definition_id, func.min(run.planned_time).label("planned"))
            .where(UNFINISHED)
            .group_by(run.definition_id)
            .subquery()
        )
        joined = workflow_definition.outerjoin(oldest, oldest.c.definition_id == version.id)
        statement = select(version.document, oldest.c.planned).select_from(joined)
        wanted = statement.where(version.id.in_(last) | oldest.c.planned.is_not(None))
        needed: dict[str, datetime] = {}
        with reading(self._engine) as connection:
            now = database_now(connection)
            for row in connection.execute(wanted):
                planned = min(row.planned or now, now)
                for name, since in needed_since(from_document(row.document), planned).items():
                    needed[name] = min(since, needed.get(name, since))
        return needed

    def step(self, cutoff: datetime, needed: Needed, after_id: int = 0, *, trial: bool = False) -> Pruned:
        """Delete the next families of runs that all ended before `cutoff`, in one transaction.

        Args:
            cutoff: Aware UTC, by the database's clock.
            needed: What dependent tasks may still look at.
            after_id: Only families of higher ids: the last one of the step before.
            trial: Only say what would be deleted.

        Raises:
            StoreUnavailable: The database is away; nothing of this step was deleted.
            CommitInDoubt: The reply of the COMMIT was lost; the next step shows what became of it.
        """
        with reading(self._engine) if trial else writing(self._engine) as connection:
            statement = _old_heads(cutoff, after_id, self._most_families)
            if not trial:
                statement = statement.with_for_update(skip_locked=True)
            found: list[int] = list(connection.execute(statement).scalars())
            if not found:
                return Pruned()
            families = read_families(connection, found, lock=not trial)
            blocked = _blocked(connection, [one["id"] for rows in families.values() for one in rows])
            free = [
                head
                for head, rows in families.items()
                if not any(_is_needed(one, cutoff, needed) or one["id"] in blocked for one in rows)
            ]
            chosen, attempts = _as_many(connection, free, families, self._most_attempts)
            ids = [one["id"] for head in chosen for one in families[head]]
            whole = len(chosen) == len(free)
            last_id = found[-1] if whole else max((head for head in chosen), default=found[-1])
            if ids and not trial:
                crash_point("prune.before_flush")
                delete_rows(connection, ids)
                crash_point("prune.after_flush")
        crash_point("prune.after_commit")
        kept = sum(head <= last_id and head not in free for head in families)
        return Pruned(runs=tuple(ids), attempts=attempts, kept=kept, last_id=last_id)

    def forget_backfills(self, cutoff: datetime) -> int:
        """Delete the backfills that ended before `cutoff` and have no runs left; return how many there were.

        Raises:
            StoreUnavailable: The database is away.
        """
        has_runs = exists(select(backfill_run.c.position).where(backfill_run.c.backfill_id == backfill.c.id))
        with writing(self._engine) as connection:
            done = delete(backfill).where(backfill.c.ended_at < cutoff, ~has_runs)
            return connection.execute(done).rowcount

    def existing(self, ids: Collection[int]) -> set[int]:
        """Return which of these runs there are.

        Raises:
            StoreUnavailable: The database is away.
        """
        statement = select(run.id).where(among(run.id, "ids"))
        with reading(self._engine) as connection:
            return set(connection.execute(statement, {"ids": sorted(ids)}).scalars())

    def cutoff(self, age_s: float) -> datetime:
        """Return the database's time so many seconds ago.

        Raises:
            StoreUnavailable: The database is away.
        """
        with reading(self._engine) as connection:
            return database_now(connection) - timedelta(seconds=age_s)


def _old_heads(cutoff: datetime, after_id: int, most: int) -> Select[int]:
    """Return the query for old runs that are nobody's children, or whose parent is gone."""
    parent = workflow_instance.alias("parent")
    has_parent = exists(select(parent.c.id).where(parent.c.id == run.parent_id))
    return (
        select(run.id)
        .where(run.id > after_id, run.state.in_(FINAL), run.submitted_at < cutoff)
        .where(func.coalesce(run.ended_at, run.submitted_at) < cutoff, ~has_parent)
        .order_by(run.id)
        .limit(most)
    )


def _is_needed(row: RowMapping, cutoff: datetime, needed: Needed) -> bool:
    if row["state"] not in FINAL or (row["ended_at"] or row["submitted_at"]) >= cutoff:
        return True
    since = needed.get(row["workflow"])
    return since is not None and bool(row["planned_time"] >= since)


def _blocked(connection: Connection, ids: Sequence[int]) -> set[int]:
    """Return the runs that something waits for: a command, people who are to be told, a backfill that is open."""
    waiting = select(command.c.workflow_instance_id).where(among(command.c.workflow_instance_id, "ids"))
    untold = select(outbox.c.workflow_instance_id).where(
        among(outbox.c.workflow_instance_id, "ids"), outbox.c.delivered_at.is_(None)
    )
    part = backfill_run.c
    open_parts = (
        select(part.workflow_instance_id)
        .select_from(backfill_run.join(backfill, backfill.c.id == part.backfill_id))
        .where(among(part.workflow_instance_id, "ids"), backfill.c.ended_at.is_(None))
    )
    blocked: set[int] = set()
    for statement in (waiting, untold, open_parts):
        blocked.update(connection.execute(statement, {"ids": list(ids)}).scalars())
    return blocked


def _as_many(
    connection: Connection, free: Sequence[int], families: Mapping[int, Sequence[RowMapping]], most: int
) -> tuple[list[int], int]:
    """Return so many families that one transaction is not too long for others, and how many attempts they have."""
    counts = count_attempts(connection, [one["id"] for head in free for one in families[head]])
    chosen: list[int] = []
    total = 0
    for head in free:
        attempts = sum(counts.get(one["id"], 0) for one in families[head])
        if chosen and total + attempts > most:
            break
        chosen.append(head)
        total += attempts
    return chosen, total
