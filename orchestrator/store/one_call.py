"""Owns the rows of a group commit as one call: PostgreSQL fences, checks and writes a whole batch by itself.

A batch of one task is four small statements; most of their time is planning and going back and forth. A function
does the same statements in the same order, each seeing what was committed before it, with plans that are made once
for each connection. Rows that exist are written one after the other, each found by its key: a server that takes a
table for nearly empty could otherwise compare each row of it with each row of the batch. The function lives as
long as the connection, so that it always is the one this version of the program wrote; where it cannot be created,
the statements of `bulk` do the same.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256

from sqlalchemy import Connection, exc

from orchestrator.core.changes import InstanceChange, Leases
from orchestrator.errors import LeaseLost, RevisionLost, StoreUnavailable
from orchestrator.store import bulk
from orchestrator.store.driver_errors import UNDEFINED_STATES, reason_unavailable, sql_state
from orchestrator.store.session import is_postgres, to_json

KNOWN = "orchestrator_group_commit"
"""Key in a connection's notes: whether it has the function (`True`), or cannot have it (`False`)."""

REVISION_LOST = "OR001"
"""Our own SQLSTATE: as an error it undoes the whole batch, also where the call is the whole transaction."""

REFUSE = (
    "RAISE EXCEPTION 'a revision or an attempt is not what it was taken for'"
    f" USING ERRCODE = '{REVISION_LOST}', DETAIL = CAST(array_to_json(missing) AS text)"
)

# Plans are kept, also when a table grows before the server has counted its rows: always by index, never by scan.
DEFINITION = f"""(
    asking text, leases json, heads json, changed json, withdrawn json, fresh json,
    OUT lost integer[], OUT moment timestamptz
) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $function$
#variable_conflict use_column
DECLARE
    given_head workflow_instance;
    given task_instance;
    missing bigint[];
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
    FOR given_head IN {bulk.spread("workflow_instance", "heads")} LOOP
        {bulk.update_head_from("given_head")};
        IF NOT FOUND THEN
            missing := missing || given_head.id;
        END IF;
    END LOOP;
    FOR given IN {bulk.spread("task_instance", "changed")} LOOP
        {bulk.update_attempt_from("given")};
        IF NOT FOUND THEN
            missing := missing || given.workflow_instance_id;
        END IF;
    END LOOP;
    FOR given IN {bulk.spread("task_instance", "withdrawn")} LOOP
        {bulk.withdraw_attempt_from("given")};
        IF NOT FOUND THEN
            missing := missing || given.workflow_instance_id;
        END IF;
    END LOOP;
    IF missing IS NOT NULL THEN
        {REFUSE};
    END IF;
    IF fresh IS NOT NULL THEN
        {bulk.insert_attempts_from("fresh")};
    END IF;
END
$function$
"""  # noqa: S608  constants of this package only

FUNCTION = f"pg_temp.orchestrator_group_commit_{sha256(DEFINITION.encode()).hexdigest()[:12]}"
"""A session that a pooler hands from one version of the program to another has a function for each of them."""

CREATE = f"CREATE OR REPLACE FUNCTION {FUNCTION}{DEFINITION}"
ROWS = ("heads", "changed", "withdrawn", "fresh")
ARGUMENTS = ", ".join(f"CAST(%({name})s AS json)" for name in ("leases", *ROWS))
CALL = f"SELECT lost, moment FROM {FUNCTION}(%(asking)s, {ARGUMENTS})"  # noqa: S608  constants
"""In the drivers' own spelling: nothing is left to compile."""

FORGOTTEN = (
    "the database session was reset or exchanged; a master needs a direct connection or session pooling"
)


def is_known(connection: Connection) -> bool:
    """Return whether the connection has the function already."""
    return bool(connection.info.get(KNOWN))


def is_possible(connection: Connection) -> bool:
    """Return whether this transaction can write its batch by one call, teaching the connection first."""
    if not is_postgres(connection):
        return False
    known = connection.info.get(KNOWN)
    return _teach(connection) if known is None else bool(known)


def _teach(connection: Connection) -> bool:
    """Create the function; return whether that could be done: many a hardened database forbids it."""
    try:
        with connection.begin_nested():  # a refusal must not end the transaction of the batch
            connection.exec_driver_sql(CREATE)
    except exc.DBAPIError as error:
        if reason_unavailable(error) is not None:
            raise
        connection.info[KNOWN] = False
        return False
    return True


def remember(connection: Connection) -> None:
    """Note that the connection has the function: the last thing before COMMIT: a rollback removes it."""
    connection.info.setdefault(KNOWN, is_postgres(connection))


def write(connection: Connection, changes: Sequence[InstanceChange], leases: Leases) -> datetime:
    """Fence the batch and write its heads and attempts; return the database's time under the locks.

    Raises:
        LeaseLost: Another master owns a slot, or its epoch moved on.
        RevisionLost: An instance, or an attempt's row, is not what memory took it for.
        StoreUnavailable: The session has lost the function; the next batch creates it again.
    """
    try:
        row = connection.exec_driver_sql(CALL, _arguments(changes, leases)).one()
    except exc.DBAPIError as error:
        if sql_state(error) == REVISION_LOST:
            raise RevisionLost(json.loads(error.orig.diag.message_detail)) from error  # type: ignore[union-attr]
        # Where it was created a moment ago, or never will be, the same state tells of a bug.
        if sql_state(error) in UNDEFINED_STATES and connection.info.pop(KNOWN, None):
            raise StoreUnavailable(FORGOTTEN) from error
        raise
    if row.lost is not None:
        raise LeaseLost(row.lost)
    moment: datetime = row.moment
    return moment.astimezone(UTC)


def _arguments(changes: Sequence[InstanceChange], leases: Leases) -> dict[str, str | None]:
    return {
        "asking": leases.owner,
        "leases": to_json(leases.epochs),
        "heads": _rows(bulk.head_rows(changes, leases.epochs)),
        "changed": _rows([attempt for one in changes for attempt in one.changed]),
        "withdrawn": _rows([bulk.key_row(attempt) for one in changes for attempt in one.withdrawn]),
        "fresh": _rows([attempt for one in changes for attempt in one.new]),
    }


def _rows(rows: Sequence[object]) -> str | None:
    return to_json(rows) if rows else None
