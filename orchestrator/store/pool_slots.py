"""Owns who has which slot of a pool, and who is next: rows that change together with those of attempts.

Whoever changes anything about a pool holds its row (PostgreSQL: `FOR UPDATE`, in the order of names, after all
rows of runs; SQLite has one writer), so that the grants of several masters follow one another.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from itertools import count
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, insert, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from orchestrator.core.command import CommandKind
from orchestrator.core.pool import PoolPlace
from orchestrator.store.bulk import KEYS_AT_ONCE, AttemptKey, chunks
from orchestrator.store.new_runs import slots_of
from orchestrator.store.rows import ATTEMPT_KEY
from orchestrator.store.schema import command, pool, pool_place, pool_slot
from orchestrator.store.session import is_postgres

place = pool_place.c
slot = pool_slot.c
IN_LINE = (place.workflow_rank, place.task_rank, place.since, place.sequence, place.workflow_instance_id)
"""The order of a line: the workflow's priority, the task's, then age, as in `master.ready.Rank`."""

POOLS = (
    select(pool.c.name, pool.c.slots)
    .where(pool.c.name.in_(bindparam("names", expanding=True)))
    .order_by(pool.c.name)
    .with_for_update()
)
TAKEN = select(slot.number).where(slot.pool == bindparam("name"))
NEXT = (
    select(place.workflow_instance_id, place.task, place.attempt, place.line_up)
    .where(place.pool == bindparam("name"))
    .order_by(*IN_LINE)
    .limit(bindparam("most"))
)


def move(
    connection: Connection, released: Sequence[PoolPlace], lined_up: Sequence[PoolPlace], now: datetime
) -> None:
    """Take out who has left, let in who has come, and give each free slot to the first in line, by mail.

    Args:
        connection: In the transaction that changes the attempts, after these.
        released: Attempts that had a slot or stood in line.
        lined_up: Attempts that stand in line from now on.
        now: The database's time.
    """
    pools = lock(connection, {one.pool for one in (*released, *lined_up)})
    gone = [one.key for one in released]
    forget(connection, pool_slot, gone)
    forget(connection, pool_place, gone)
    line_up(connection, lined_up)
    grant(connection, pools, now)


def line_up(connection: Connection, places: Sequence[PoolPlace]) -> None:
    """Let these attempts stand in line; those that do stay where they are."""
    if places:
        connection.execute(insert_new(connection, pool_place), [asdict(one) for one in places])


def lock(connection: Connection, names: Collection[str]) -> dict[str, int]:
    """Lock these pools until the transaction ends; return the slots of those that there are, by name."""
    if not names:
        return {}
    return dict(connection.execute(POOLS, {"names": sorted(names)}).all())


def grant(connection: Connection, pools: Mapping[str, int], now: datetime) -> list[int]:
    """Give the free slots of locked pools to the first in line, and leave each a GRANTED.

    Args:
        connection: In a writing transaction.
        pools: Name to number of slots; what is taken beyond that number stays taken.
        now: The database's time.

    Returns:
        Ids of the runs that were mailed.
    """
    granted: dict[AttemptKey, int] = {}
    for name, slots in pools.items():
        taken = set(connection.execute(TAKEN, {"name": name}).scalars())
        free = slots - len(taken)
        if free <= 0:
            continue
        first = {
            (number, task, attempt): line_up
            for number, task, attempt, line_up in connection.execute(NEXT, {"name": name, "most": free})
        }
        got = _take(connection, name, taken, first, now)
        granted.update({key: line_up for key, line_up in first.items() if key in got})
    tell(connection, granted, now)
    return [number for number, _, _ in granted]


def tell(connection: Connection, attempts: Mapping[AttemptKey, int], now: datetime) -> None:
    """Leave a GRANTED for the run of each of these attempts; it names the time in line that the slot is for."""
    if not attempts:
        return
    slots = slots_of(connection)
    mail = [
        {
            "slot": number % slots,
            "workflow_instance_id": number,
            "kind": CommandKind.GRANTED,
            "body": {"task": task, "attempt": attempt, "line_up": line_up},
            "created_at": now,
        }
        for (number, task, attempt), line_up in attempts.items()
    ]
    connection.execute(insert(command), mail)


def _take(
    connection: Connection, name: str, taken: Collection[int], first: Collection[AttemptKey], now: datetime
) -> set[tuple[Any, ...]]:
    """Insert a slot for each of these attempts, the lowest numbers first; who got one leaves the line."""
    if not first:
        return set()
    numbers = (number for number in count(1) if number not in taken)
    rows = [
        {"pool": name, "number": number, "taken_at": now, **dict(zip(ATTEMPT_KEY, key, strict=True))}
        for number, key in zip(numbers, first, strict=False)
    ]
    statement = insert_new(connection, pool_slot).returning(*(slot[one] for one in ATTEMPT_KEY))
    got = {tuple(row) for row in connection.execute(statement, rows)}
    forget(connection, pool_place, got)
    return got


def insert_new(connection: Connection, table: Table) -> Any:
    """Return an INSERT that leaves a row alone which is there already: not getting a slot is an answer."""
    dialect = postgresql if is_postgres(connection) else sqlite
    return dialect.insert(table).on_conflict_do_nothing()


def forget(connection: Connection, table: Table, keys: Collection[AttemptKey]) -> int:
    """Delete the rows of these attempts; return how many there were."""
    key = tuple_(*(table.c[name] for name in ATTEMPT_KEY))
    return sum(
        connection.execute(delete(table).where(key.in_(some))).rowcount for some in chunks(keys, KEYS_AT_ONCE)
    )
