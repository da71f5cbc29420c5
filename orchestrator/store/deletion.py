"""Owns the deletion of runs that somebody names: whole families, with every row that speaks of them.

A family is a run with all its descendants. Its rows are locked before they are judged, so that a run that begins
again at this moment is not seen as ended.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, RowMapping, delete, exists, func, literal, select

from orchestrator.core.status import WORKFLOW_FINAL
from orchestrator.errors import Conflict, NotFound
from orchestrator.store.among import among
from orchestrator.store.schema import (
    backfill,
    backfill_run,
    command,
    error_command,
    outbox,
    task_cache,
    task_instance,
    workflow_instance,
)
from orchestrator.store.session import writing

FINAL = sorted(state.value for state in WORKFLOW_FINAL)

run = workflow_instance.c
part = backfill_run.c


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletedFamily:
    """What went with one run.

    Attributes:
        head: The run that was named.
        state: How it had ended.
        runs: Ids that were deleted, it and its descendants, in order.
        attempts: How many attempts they had.
    """

    head: int
    state: str
    runs: tuple[int, ...]
    attempts: int


class Deletion:
    """Deletes runs by name.

    Args:
        engine: Of any role but a master's.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def delete(self, ids: Collection[int]) -> list[DeletedFamily]:
        """Delete these runs with their descendants, all of them or none, in one transaction.

        Args:
            ids: Runs that have ended; a child only together with its parent.

        Returns:
            One for each family, in the order of the ids.

        Raises:
            NotFound: There is no such run.
            Conflict: One of them goes on, is somebody's child, or is still needed; the message says which and why.
            StoreUnavailable: The database is away; nothing was deleted.
            CommitInDoubt: The reply of the COMMIT was lost; `runs list` shows what became of it.
        """
        with writing(self._engine) as connection:
            families = read_families(connection, sorted(ids), lock=True)
            heads = _heads(connection, families)
            rows = [row for head in heads for row in families[head]]
            _refuse_unfinished(rows)
            gone = sorted({row["id"] for row in rows})
            _refuse_asked(connection, gone)
            backfills = _ended_backfills(connection, gone)
            attempts = count_attempts(connection, gone)
            delete_rows(connection, gone)
            _forget_empty(connection, backfills)
        return [_deleted(head, families[head], attempts) for head in heads]


def read_families(connection: Connection, heads: Sequence[int], *, lock: bool) -> dict[int, list[RowMapping]]:
    """Return these runs with all their descendants, by the id of the oldest; as they are under the lock."""
    columns = (run.id, literal(0).label("steps"))
    chain = select(run.id.label("head"), *columns).where(among(run.id, "heads")).cte("chain", recursive=True)
    below = select(chain.c.head, run.id, chain.c.steps + 1).join(
        workflow_instance, run.parent_id == chain.c.id
    )
    found = connection.execute(select(chain.union_all(below)), {"heads": list(heads)}).all()
    rows = select(
        run.id, run.workflow, run.state, run.planned_time, run.ended_at, run.submitted_at, run.parent_id
    ).where(among(run.id, "ids"))
    ordered = rows.order_by(run.id)
    ids = {"ids": sorted({row.id for row in found})}
    locked = connection.execute(ordered.with_for_update() if lock else ordered, ids).mappings()
    by_id = {row["id"]: row for row in locked}
    families: dict[int, list[RowMapping]] = {head: [] for head in heads}
    for head, number in sorted({(row.head, row.id) for row in found if row.id in by_id}):
        families[head].append(by_id[number])
    return families


def count_attempts(connection: Connection, ids: Collection[int]) -> dict[int, int]:
    """Return how many attempts these runs have, by id; those without any are not in it."""
    attempt = task_instance.c.workflow_instance_id
    counted = select(attempt, func.count()).where(among(attempt, "ids")).group_by(attempt)
    return {row[0]: row[1] for row in connection.execute(counted, {"ids": list(ids)})}


def delete_rows(connection: Connection, ids: Sequence[int]) -> None:
    """Delete these runs, and before them every row that speaks of them."""
    for table in (task_cache, task_instance, error_command, outbox, backfill_run):
        speaks = among(table.c.workflow_instance_id, "ids")
        connection.execute(delete(table).where(speaks), {"ids": list(ids)})
    connection.execute(delete(workflow_instance).where(among(run.id, "ids")), {"ids": list(ids)})


def _heads(connection: Connection, families: dict[int, list[RowMapping]]) -> list[int]:
    """Return the runs that stand for their families: those named whose parent is not named, too.

    Raises:
        NotFound: There is no such run.
        Conflict: Somebody's child would go without it.
    """
    named = {head: next((row for row in rows if row["id"] == head), None) for head, rows in families.items()}
    missing = [head for head, row in named.items() if row is None]
    if missing:
        raise NotFound(f"there is no run {missing[0]}")
    covered = {row["id"] for head, rows in families.items() for row in rows if row["id"] != head}
    heads = [head for head in named if head not in covered]
    parents = {head: row["parent_id"] for head, row in named.items() if row is not None}
    there = connection.execute(
        select(run.id).where(among(run.id, "ids")),
        {"ids": [parents[head] for head in heads if parents[head]]},
    )
    living = set(there.scalars())
    for head in heads:
        if parents[head] in living:
            raise Conflict(
                f"run {head} is a child of run {parents[head]}, and goes with it:"
                f" orchestrator runs delete {parents[head]}"
            )
    return heads


def _refuse_unfinished(rows: Iterable[RowMapping]) -> None:
    for row in rows:
        if row["state"] not in FINAL:
            raise Conflict(
                f"{_named(row)} is {row['state']}: only what has ended is deleted; wait for it"
                f" (orchestrator runs wait {row['id']}) or stop it (orchestrator runs stop {row['id']})"
            )


def _refuse_asked(connection: Connection, ids: Collection[int]) -> None:
    waiting = select(command.c.workflow_instance_id, command.c.kind).where(
        among(command.c.workflow_instance_id, "ids")
    )
    asked = connection.execute(waiting.order_by(command.c.id).limit(1), {"ids": list(ids)}).first()
    if asked is not None:
        raise Conflict(
            f"run {asked.workflow_instance_id} has a {asked.kind} that no master has taken yet: delete it when one"
            " has (orchestrator doctor says whether a master runs)"
        )


def _ended_backfills(connection: Connection, ids: Collection[int]) -> list[int]:
    """Return the backfills that these runs are part of; raise Conflict if one of them goes on."""
    statement = (
        select(part.workflow_instance_id, part.backfill_id, backfill.c.ended_at)
        .select_from(backfill_run.join(backfill, backfill.c.id == part.backfill_id))
        .where(among(part.workflow_instance_id, "ids"))
    )
    found = connection.execute(statement, {"ids": list(ids)}).all()
    for row in found:
        if row.ended_at is None:
            raise Conflict(
                f"run {row.workflow_instance_id} is part of backfill {row.backfill_id}, which goes on:"
                " delete it when all runs of that have ended"
            )
    return sorted({row.backfill_id for row in found})


def _forget_empty(connection: Connection, backfills: Collection[int]) -> None:
    """Delete those of these backfills that have no runs left."""
    has_runs = exists(select(part.position).where(part.backfill_id == backfill.c.id))
    empty = delete(backfill).where(among(backfill.c.id, "ids"), ~has_runs)
    connection.execute(empty, {"ids": list(backfills)})


def _named(row: RowMapping) -> str:
    child = f", a child of run {row['parent_id']}," if row["parent_id"] is not None else ""
    return f"run {row['id']}{child}"


def _deleted(head: int, rows: Sequence[RowMapping], attempts: dict[int, int]) -> DeletedFamily:
    ids = tuple(row["id"] for row in rows)
    return DeletedFamily(
        head=head,
        state=next(row["state"] for row in rows if row["id"] == head),
        runs=ids,
        attempts=sum(attempts.get(number, 0) for number in ids),
    )
