"""Owns the rows of the masters: who coordinates, and since when it was seen."""

from dataclasses import dataclass

from sqlalchemy import Engine, delete, insert, update

from orchestrator.store.clock import database_now
from orchestrator.store.schema import master
from orchestrator.store.session import writing


@dataclass(frozen=True, slots=True, kw_only=True)
class Master:
    """One start of a master. Its incarnation is the owner of its leases."""

    incarnation: str
    name: str
    host: str
    pid: int


class Masters:
    """Notes which masters live.

    Args:
        engine: Of any role.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def beat(self, one: Master) -> None:
        """Note that this master lives.

        Raises:
            StoreUnavailable: The database is away.
        """
        with writing(self._engine) as connection:
            now = database_now(connection)
            chosen = update(master).where(master.c.incarnation == one.incarnation)
            if connection.execute(chosen.values(last_heartbeat=now)).rowcount == 0:
                connection.execute(
                    insert(master).values(
                        incarnation=one.incarnation,
                        name=one.name,
                        host=one.host,
                        pid=one.pid,
                        started_at=now,
                        last_heartbeat=now,
                    )
                )

    def leave(self, incarnation: str) -> None:
        """Note that this master has ended.

        Raises:
            StoreUnavailable: The database is away.
        """
        with writing(self._engine) as connection:
            connection.execute(delete(master).where(master.c.incarnation == incarnation))
