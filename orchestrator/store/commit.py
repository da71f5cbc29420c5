"""Owns the group commit: everything one batch writes, in one fenced transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime

from sqlalchemy import Connection, Engine, Insert, delete, insert, literal, select

from orchestrator.core.changes import Changes, InstanceChange, Leases
from orchestrator.core.command import Mail
from orchestrator.core.instance import Head
from orchestrator.crash import crash_point
from orchestrator.errors import CommandsGone, LeaseLost, RevisionLost
from orchestrator.store import bulk, clock, one_call, pool_slots
from orchestrator.store.among import among
from orchestrator.store.cache import write_entries
from orchestrator.store.new_runs import send_starts, slots_of
from orchestrator.store.outbox_rows import write_outbox
from orchestrator.store.rows import head_values
from orchestrator.store.schema import command, error_command, slot_lease, workflow_instance
from orchestrator.store.session import at_once, is_postgres, reading, writing
from orchestrator.store.turn_rows import settle_turns

lease = slot_lease.c
FENCE = (
    select(lease.slot, lease.owner, lease.epoch, clock.Now())
    .where(among(lease.slot, "slots"))
    .order_by(lease.slot)
    .with_for_update(read=True)
)
BESIDE_ROWS = tuple(one.name for one in fields(Changes) if one.name != "instances")
END_COMMANDS = delete(command).where(among(command.c.id, "ids")).returning(command.c.id)


class GroupCommit:
    """Writes batches.

    Args:
        engine: Opened with the role `master`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def commit(self, changes: Changes, leases: Leases) -> datetime:
        """Write `changes` if the leases still hold: all of it or nothing.

        Args:
            changes: What the batch decided; it may be empty, the leases are checked all the same.
            leases: The slots that the batch speaks for.

        Returns:
            The database's time when the transaction had its locks.

        Raises:
            LeaseLost: Another master owns a slot, or its epoch moved on; nothing was written.
            RevisionLost: An instance, or an attempt's row, is not what memory took it for; nothing was written.
            CommandsGone: A command has been applied before; nothing was written.
            StoreUnavailable: The database is away; nothing was written.
            CommitInDoubt: The reply of the COMMIT was lost.
        """
        now = self._commit_at_once(changes, leases)
        if now is None:
            now = self._commit_in_steps(changes, leases)
        crash_point("store.after_commit")
        if changes.released or changes.lined_up:
            crash_point("pool.after_commit")
        if changes.turns:
            crash_point("serial.after_commit")
        return now

    def database_now(self) -> datetime:
        """Return the database's time, aware UTC.

        Raises:
            StoreUnavailable: The database is away.
        """
        with reading(self._engine) as connection:
            return clock.database_now(connection)

    def _commit_at_once(self, changes: Changes, leases: Leases) -> datetime | None:
        """Write a batch of nothing but runs and attempts by one call; `None` where that cannot be done."""
        if not is_postgres(self._engine) or not _is_rows_only(changes):
            return None
        _check_leased(changes.instances, leases)
        with at_once(self._engine) as connection:
            if not one_call.is_known(connection):
                return None
            crash_point("store.before_flush")
            return one_call.write(connection, changes.instances, leases)

    def _commit_in_steps(self, changes: Changes, leases: Leases) -> datetime:
        with writing(self._engine) as connection:
            now = _write_rows(connection, changes.instances, leases)
            _end_commands(connection, changes, now)
            _insert_children(connection, changes.children, now)
            _send_mail(connection, changes.mail, now)
            settle_turns(connection, changes.turns, now)
            write_outbox(connection, changes.alerts, now)
            write_entries(connection, changes.cached, now)
            _move_in_pools(connection, changes, now)
            one_call.remember(connection)
            crash_point("store.after_flush")
        return now


def _is_rows_only(changes: Changes) -> bool:
    """Whether nothing but rows of runs and attempts is to be written."""
    return not any(getattr(changes, name) for name in BESIDE_ROWS)


def _check_leased(changes: Sequence[InstanceChange], leases: Leases) -> None:
    unleased = {one.head.slot for one in changes} - leases.epochs.keys()
    if unleased:
        raise LeaseLost(unleased)


def _write_rows(connection: Connection, changes: Sequence[InstanceChange], leases: Leases) -> datetime:
    """Write runs and attempts under the fence, on PostgreSQL in one round trip; return the database's time."""
    _check_leased(changes, leases)
    if one_call.is_possible(connection):
        crash_point("store.before_flush")
        return one_call.write(connection, changes, leases)
    now = fence(connection, leases)
    crash_point("store.before_flush")
    _write_instances(connection, changes, leases.epochs)
    return now


def fence(connection: Connection, leases: Leases) -> datetime:
    """Lock the leases, in the order of slots as everybody does; return the database's time under the locks.

    Raises:
        LeaseLost: Another master owns a slot, or its epoch moved on.
    """
    rows = connection.execute(FENCE, {"slots": sorted(leases.epochs)}).all()
    held = {slot: epoch for slot, owner, epoch, _ in rows if owner == leases.owner}
    lost = [slot for slot, epoch in leases.epochs.items() if held.get(slot) != epoch]
    if lost:
        raise LeaseLost(lost)
    return rows[-1][3] if rows else clock.database_now(connection)


def _write_instances(
    connection: Connection, changes: Sequence[InstanceChange], epochs: Mapping[int, int]
) -> None:
    """Write heads first: their row locks and revisions protect the rows of their attempts."""
    if not changes:
        return
    missing = {one.head.id for one in changes} - bulk.update_heads(connection, changes, epochs)
    if missing:
        raise RevisionLost(missing)
    changed = [attempt for one in changes for attempt in one.changed]
    if changed:  # before the new ones: an old attempt stops being the current one
        missing = bulk.update_attempts(connection, changed)
        if missing:
            raise RevisionLost(missing)
    missing = bulk.withdraw_attempts(connection, (row for one in changes for row in one.withdrawn))
    if missing:
        raise RevisionLost(missing)
    new = [attempt for one in changes for attempt in one.new]
    if new:
        bulk.insert_attempts(connection, new)


def _end_commands(connection: Connection, changes: Changes, now: datetime) -> None:
    """Delete the commands that were applied; keep those that never can be, with the reason.

    Raises:
        CommandsGone: Some have no row any more.
    """
    for number, reason in changes.failed_commands.items():
        connection.execute(_keep_failed(number, reason, now))
    ended = [*changes.done_commands, *changes.failed_commands]
    if not ended:
        return
    gone = set(ended) - set(connection.execute(END_COMMANDS, {"ids": ended}).scalars())
    if gone:
        raise CommandsGone(gone)


def _keep_failed(command_id: int, reason: str, now: datetime) -> Insert:
    """Return what copies one row as it stands, readable or not."""
    names = [one.name for one in command.c]
    added = (literal(now, error_command.c.failed_at.type), literal(reason, error_command.c.reason.type))
    row = select(*command.c, *added).where(command.c.id == command_id)
    return insert(error_command).from_select([*names, "failed_at", "reason"], row)


def _insert_children(connection: Connection, children: Sequence[Head], now: datetime) -> None:
    """Insert new runs with their STARTs, as a submission does."""
    if not children:
        return
    rows = [{**head_values(one), "submitted_at": now, "revision": 0, "epoch": 0} for one in children]
    connection.execute(insert(workflow_instance), rows)
    send_starts(connection, children)


def _move_in_pools(connection: Connection, changes: Changes, now: datetime) -> None:
    """Give slots back and to the next ones, last of all: from here on other commits about these pools wait."""
    if changes.released or changes.lined_up:
        crash_point("pool.before_flush")
        pool_slots.move(connection, changes.released, changes.lined_up, now)
        crash_point("pool.after_flush")


def _send_mail(connection: Connection, mail: Sequence[Mail], now: datetime) -> None:
    if mail:
        slots = slots_of(connection)
        connection.execute(
            insert(command),
            [
                {
                    "slot": one.workflow_instance_id % slots,
                    "workflow_instance_id": one.workflow_instance_id,
                    "kind": one.kind,
                    "body": dict(one.body),
                    "created_at": now,
                }
                for one in mail
            ],
        )
