"""Owns the rows of the masters: who coordinates, and since when it was seen. Written with the leases."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from orchestrator.store.clock import Now, database_now
from orchestrator.store.schema import master, slot_lease

KEPT_FOR = timedelta(days=7)
"""How long a master that is gone can be looked up."""

SEEN = (
    update(master).where(master.c.incarnation == bindparam("who")).values(last_heartbeat=Now(), left_at=None)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Master:
    """One start of a master. Its incarnation is the owner of its leases.

    Attributes:
        version: Of the program.
    """

    incarnation: str
    name: str
    host: str
    pid: int
    version: str | None = None


def enter(connection: Connection, one: Master) -> None:
    """Note in the connection's transaction that this master coordinates; forget those that are long gone."""
    gone = master.c.last_heartbeat < database_now(connection) - KEPT_FOR
    connection.execute(delete(master).where(gone, master.c.incarnation != one.incarnation))
    beat(connection, one)


def beat(connection: Connection, one: Master) -> None:
    """Note in the connection's transaction that this master lives."""
    if connection.execute(SEEN, {"who": one.incarnation}).rowcount == 0:
        now = database_now(connection)
        connection.execute(
            insert(master).values(
                incarnation=one.incarnation,
                name=one.name,
                host=one.host,
                pid=one.pid,
                version=one.version,
                started_at=now,
                last_heartbeat=now,
                left_at=None,
            )
        )


def leave(connection: Connection, one: Master) -> None:
    """Note in the connection's transaction that this master has ended in order."""
    chosen = update(master).where(master.c.incarnation == one.incarnation)
    connection.execute(chosen.values(left_at=database_now(connection)))


def lock_and_name_holders(connection: Connection) -> list[str]:
    """Return the masters whose leases live, for people; until the transaction ends nobody takes or renews one."""
    lease = slot_lease.c
    rows = connection.execute(
        select(lease.owner, master.c.name, master.c.host, master.c.pid)
        .select_from(slot_lease.outerjoin(master, master.c.incarnation == lease.owner))
        .where(lease.owner.is_not(None), lease.expires_at >= database_now(connection))
        .order_by(lease.slot)
        .with_for_update(of=slot_lease)
    )
    named = [
        f"'{name}' (host {host}, pid {pid})" if name else f"'{incarnation}'"
        for incarnation, name, host, pid in rows
    ]
    return list(dict.fromkeys(named))
