"""Owns the rows of a group commit as one call: PostgreSQL fences, checks and writes a whole batch by itself.

A batch of one task is four small statements; most of their time is planning and going back and forth. A function
does the same statements in the same order, each seeing what was committed before it, with plans that are made once
for each connection. It lives as long as the connection, so that it always is the one this version of the program
wrote; a user who may not create temporary objects gets the statements of `bulk`.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, text

from orchestrator.core.changes import InstanceChange, Leases
from orchestrator.errors import LeaseLost, RevisionLost
from orchestrator.store import bulk, clock
from orchestrator.store.session import is_postgres, to_json

FUNCTION = "pg_temp.orchestrator_group_commit"
KNOWN = "orchestrator_group_commit"
"""Key in a connection's notes: whether it has the function (`True`), or may not have it (`False`)."""

MAY_CREATE = text("SELECT has_database_privilege(current_database(), 'TEMPORARY')")

# Plans are kept, also when a table grows before the server has counted its rows: always by index, never by scan.
CREATE = f"""
CREATE OR REPLACE FUNCTION {FUNCTION}(
    asking text, leases json, heads json, changed json, fresh json,
    OUT lost integer[], OUT missing bigint[], OUT moment timestamptz
) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $function$
#variable_conflict use_column
DECLARE
    number bigint;
BEGIN
    SELECT array_agg(asked.slot) INTO lost
    FROM (SELECT CAST(key AS integer) AS slot, CAST(value AS bigint) AS epoch FROM json_each_text(leases)) AS asked
    LEFT JOIN (
        SELECT slot, owner, epoch FROM slot_lease
        WHERE slot IN (SELECT CAST(key AS integer) FROM json_each_text(leases))
        ORDER BY slot FOR SHARE
    ) AS held ON held.slot = asked.slot AND held.owner = asking AND held.epoch = asked.epoch
    WHERE held.slot IS NULL;
    moment := clock_timestamp();
    IF lost IS NOT NULL OR heads IS NULL THEN
        RETURN;
    END IF;
    WITH written AS ({bulk.update_heads_from("heads")})
    SELECT array_agg(given.id) INTO missing
    FROM json_to_recordset(heads) AS given(id bigint) WHERE given.id NOT IN (SELECT id FROM written);
    IF missing IS NOT NULL THEN
        RETURN;
    END IF;
    IF changed IS NOT NULL THEN
        {bulk.update_attempts_from("changed")};
        GET DIAGNOSTICS number = ROW_COUNT;
        IF number <> json_array_length(changed) THEN
            SELECT array_agg(DISTINCT given.workflow_instance_id) INTO missing
            FROM json_populate_recordset(CAST(NULL AS task_instance), changed) AS given
            WHERE NOT EXISTS (SELECT FROM task_instance AS stored WHERE {bulk.SAME_ATTEMPT});
            RETURN;
        END IF;
    END IF;
    IF fresh IS NOT NULL THEN
        {bulk.insert_attempts_from("fresh")};
    END IF;
END
$function$
"""  # noqa: S608  constants of this package only

ARGUMENTS = ", ".join(f"CAST(%({name})s AS json)" for name in ("leases", "heads", "changed", "fresh"))
CALL = f"SELECT lost, missing, moment FROM {FUNCTION}(%(asking)s, {ARGUMENTS})"  # noqa: S608  constants
"""In the drivers' own spelling: nothing is left to compile."""


def is_possible(connection: Connection) -> bool:
    """Return whether this transaction can write its batch by one call, teaching the connection first."""
    if not is_postgres(connection):
        return False
    known = connection.info.get(KNOWN)
    if known is None:
        known = bool(connection.execute(MAY_CREATE).scalar_one())
        if known:
            connection.exec_driver_sql(CREATE)
        else:
            connection.info[KNOWN] = False
    return bool(known)


def remember(connection: Connection) -> None:
    """Note that the connection has the function: the last thing before COMMIT: a rollback removes it."""
    connection.info.setdefault(KNOWN, is_postgres(connection))


def write(connection: Connection, changes: Sequence[InstanceChange], leases: Leases) -> datetime:
    """Fence the batch and write its heads and attempts; return the database's time under the locks.

    Raises:
        LeaseLost: Another master owns a slot, or its epoch moved on.
        RevisionLost: An instance, or an attempt's row, is not what memory took it for.
    """
    row = connection.exec_driver_sql(CALL, _arguments(changes, leases)).one()
    if row.lost is not None:
        raise LeaseLost(row.lost)
    if row.missing is not None:
        raise RevisionLost(row.missing)
    return clock.read_now(row.moment)


def _arguments(changes: Sequence[InstanceChange], leases: Leases) -> dict[str, str | None]:
    return {
        "asking": leases.owner,
        "leases": to_json(leases.epochs),
        "heads": _rows(bulk.head_rows(changes, leases.epochs)),
        "changed": _rows([attempt for one in changes for attempt in one.changed]),
        "fresh": _rows([attempt for one in changes for attempt in one.new]),
    }


def _rows(rows: Sequence[object]) -> str | None:
    return to_json(rows) if rows else None
