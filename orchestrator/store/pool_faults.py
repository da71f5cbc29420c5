"""Owns the comparison of slots and places in line with the attempts they speak of: all must fit."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, func, select

from orchestrator.core.command import CommandKind
from orchestrator.core.pool import GIVES_WAY, IN_POOL, WAITS_FOR_SLOT
from orchestrator.core.status import TaskState
from orchestrator.store.bulk import AttemptKey
from orchestrator.store.rows import ATTEMPT_KEY
from orchestrator.store.schema import command, pool_place, pool_slot, task_instance

attempt = task_instance.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """An attempt that a slot or a place speaks of.

    Attributes:
        line_up: Which of its times in line its own row says it is; 0 if there is no such attempt.
    """

    pool: str
    key: AttemptKey
    line_up: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolFaults:
    """What does not fit the rows of attempts.

    Attributes:
        leaked: Slots of attempts that have left the pool.
        stale: Places in line of attempts that do not wait.
        untold: Slots of attempts that wait and were never told of them.
    """

    leaked: list[Named]
    stale: list[Named]
    untold: list[Named]


def find_faults(connection: Connection, pool: str | None = None) -> PoolFaults:
    """Compare slots and places of one pool, or of all, with the attempts they speak of.

    Mail is read first: under the pool's lock nothing is granted meanwhile, so that who still waits after that, has
    a slot, and had no mail, was never told.
    """
    told = _told(connection)
    submitted = attempt.current & (attempt.state == TaskState.SUBMITTED)
    gives_way = submitted & (func.coalesce(attempt.reason, "") == GIVES_WAY)
    in_pool = attempt.current & attempt.state.in_(sorted(IN_POOL)) & ~gives_way
    waits = submitted & (attempt.reason == WAITS_FOR_SLOT)
    leaked = _with_attempts(pool_slot, pool).where(_is_not(in_pool))
    stale = _with_attempts(pool_place, pool).where(_is_not(waits))
    untold = _with_attempts(pool_slot, pool).where(waits)
    return PoolFaults(
        leaked=_named(connection, leaked),
        stale=_named(connection, stale),
        untold=[one for one in _named(connection, untold) if (one.key, one.line_up) not in told],
    )


def _told(connection: Connection) -> set[tuple[AttemptKey, int]]:
    """Return the times in line that a grant is on its way for; one of an earlier time says nothing."""
    statement = select(command.c.workflow_instance_id, command.c.body).where(
        command.c.kind == CommandKind.GRANTED
    )
    return {
        ((number, body["task"], body["attempt"]), body.get("line_up", 0))
        for number, body in connection.execute(statement)
    }


def _with_attempts(table: Table, pool: str | None) -> Select[Any]:
    """Return a query for the rows of a table about attempts, beside what is known of these."""
    same = [table.c[name] == attempt[name] for name in ATTEMPT_KEY]
    joined = table.outerjoin(task_instance, same[0] & same[1] & same[2])
    columns = (table.c.pool, *(table.c[name] for name in ATTEMPT_KEY), func.coalesce(attempt.line_ups, 0))
    found = select(*columns).select_from(joined)
    return found if pool is None else found.where(table.c.pool == pool)


def _is_not(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return the opposite of a condition on attempts, true of those that do not exist, too."""
    return func.coalesce(condition, False).is_(False)


def _named(connection: Connection, statement: Select[Any]) -> list[Named]:
    return [
        Named(pool=name, key=(number, task, count), line_up=line_up)
        for name, number, task, count, line_up in connection.execute(statement)
    ]
