"""Owns the slot leases: who speaks for which workflow instances, by the database's clock."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, Update, bindparam, or_, select, update

from orchestrator.core.changes import Leases
from orchestrator.store import masters
from orchestrator.store.among import among
from orchestrator.store.clock import database_now
from orchestrator.store.masters import Master
from orchestrator.store.schema import slot_lease
from orchestrator.store.session import reading, writing

slot, owner, epoch, expires_at = (
    slot_lease.c.slot,
    slot_lease.c.owner,
    slot_lease.c.epoch,
    slot_lease.c.expires_at,
)

_GIVEN = among(slot, "slots")
HELD = select(slot, epoch).where(owner == bindparam("holder"), _GIVEN).order_by(slot).with_for_update()
FREE = (
    select(slot, epoch)
    .where(or_(owner.is_(None), expires_at.is_(None), expires_at < bindparam("now")))
    .order_by(slot)
    .with_for_update(skip_locked=True)
)
PROLONG = update(slot_lease).where(_GIVEN).values(expires_at=bindparam("until"))
GIVE_BACK = update(slot_lease).where(_GIVEN).values(owner=None, expires_at=None)
TAKE = PROLONG.values(owner=bindparam("holder"), epoch=epoch + 1)


class SlotLeases:
    """Takes, renews and gives back the leases of slots. Rows are locked in the order of slots, as by all.

    Args:
        engine: Opened with the role `master`.
        holder: Who shall be seen to hold them; default: nobody in particular.
    """

    def __init__(self, engine: Engine, holder: Master | None = None) -> None:
        self._engine = engine
        self._holder = holder

    def acquire(self, master: str, seconds: float, *, limit: int | None = None) -> Leases:
        """Take slots that nobody holds any more, each under its next epoch.

        A slot that somebody is writing to at this moment is left for the next time: nobody waits for a
        master that was stopped inside a transaction.

        Args:
            master: Incarnation of the new owner.
            seconds: How long the leases live, by the database's clock.
            limit: The most slots to take; default: all.

        Returns:
            The slots that were taken just now.

        Raises:
            StoreUnavailable: The database is away.
        """
        with writing(self._engine) as connection:
            now = database_now(connection)
            free = FREE if limit is None else FREE.limit(limit)
            rows = connection.execute(free, {"now": now})
            taken = {number: old + 1 for number, old in rows}
            _write(connection, TAKE, taken, holder=master, until=_after(connection, seconds))
            if taken and self._holder is not None:
                masters.enter(connection, self._holder)
        return Leases(owner=master, epochs=taken)

    def renew(self, leases: Leases, seconds: float) -> Leases:
        """Prolong the leases that are still ours, also expired ones that nobody took.

        Returns:
            What is still held; what is missing belongs to another master.

        Raises:
            StoreUnavailable: The database is away.
        """
        with writing(self._engine) as connection:
            held = _lock_held(connection, leases)
            _write(connection, PROLONG, held, until=_after(connection, seconds))
            if held and self._holder is not None:
                masters.beat(connection, self._holder)
        return Leases(owner=leases.owner, epochs=held)

    def release(self, leases: Leases) -> None:
        """Give the leases back that are still ours: another master may take them at once; this one has left.

        Raises:
            StoreUnavailable: The database is away.
        """
        with writing(self._engine) as connection:
            _write(connection, GIVE_BACK, _lock_held(connection, leases))
            if self._holder is not None:
                masters.leave(connection, self._holder)

    def holders(self) -> dict[int, str]:
        """Return the owner of each slot whose lease has not expired.

        Raises:
            StoreUnavailable: The database is away.
        """
        with reading(self._engine) as connection:
            now = database_now(connection)
            rows = connection.execute(select(slot, owner).where(owner.is_not(None), expires_at >= now))
            return {number: holder for number, holder in rows if holder is not None}


def _lock_held(connection: Connection, leases: Leases) -> dict[int, int]:
    rows = connection.execute(HELD, {"holder": leases.owner, "slots": sorted(leases.epochs)})
    return {number: found for number, found in rows if leases.epochs[number] == found}


def _write(connection: Connection, statement: Update, slots: Iterable[int], **values: object) -> None:
    numbers = sorted(slots)
    if numbers:
        connection.execute(statement, {"slots": numbers, **values})


def _after(connection: Connection, seconds: float) -> datetime:
    """Return the time so many seconds from now, read after the locks were waited for."""
    return database_now(connection) + timedelta(seconds=seconds)
