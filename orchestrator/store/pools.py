"""Owns the stored pools: how many slots each has, who has them, and the sweep that proves that none is lost."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, delete, func, select, update

from orchestrator.core.changes import Leases
from orchestrator.errors import Conflict, NotFound
from orchestrator.store import pool_slots
from orchestrator.store.bulk import AttemptKey
from orchestrator.store.clock import database_now
from orchestrator.store.commit import fence
from orchestrator.store.new_runs import slots_of
from orchestrator.store.pool_faults import find_faults
from orchestrator.store.pool_outsiders import WAITS, find_outsiders
from orchestrator.store.rows import ATTEMPT_KEY
from orchestrator.store.schema import pool, pool_place, pool_slot
from orchestrator.store.session import reading, writing

place = pool_place.c
slot = pool_slot.c
IN_USE = select(select(slot.pool).exists() | select(place.pool).exists() | WAITS)
MADE = select(pool)
TAKEN = select(slot.pool, func.count()).group_by(slot.pool)
WAITING = select(place.pool, func.count()).group_by(place.pool)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPool:
    """A pool as it stands.

    Attributes:
        slots: `None`: nobody has made it, and yet attempts wait for it.
        taken: Slots that attempts have; more than `slots` after it was made smaller.
        waiting: Attempts that stand in line.
        repaired: Rows that the sweep had to put right since the pool was made: 0, or there is a bug.
    """

    name: str
    slots: int | None
    taken: int = 0
    waiting: int = 0
    repaired: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who has a slot."""

    workflow_instance_id: int
    task: str
    attempt: int
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A pool, seen by an attempt that waits for a slot of it.

    Attributes:
        holders: Who has its slots, the longest first.
        before: How many attempts stand before it.
    """

    pool: StoredPool
    holders: tuple[Holder, ...] = ()
    before: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Repairs:
    """What a sweep put right.

    Attributes:
        leaked: Slots of attempts that have left the pool.
        stale: Places in line of attempts that do not wait.
        untold: Slots of attempts that wait and were never told of them.
        outsiders: Attempts that wait, and had neither a place nor a slot.
        granted: Free slots that nobody had been given: not a fault, a pool may have been made a moment ago.
        woken: Where the runs are that were told of slots: the masters of these slots are to be woken.
    """

    leaked: int = 0
    stale: int = 0
    untold: int = 0
    outsiders: int = 0
    granted: int = 0
    woken: frozenset[int] = frozenset()

    @property
    def faults(self) -> int:
        """How many rows were wrong."""
        return self.leaked + self.stale + self.untold + self.outsiders


class Pools:
    """Reads and writes pools; slots change hands in the group commit.

    Args:
        engine: Of any role.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def list(self) -> list[StoredPool]:
        """Return every pool, by name, and those that nobody has made and attempts wait for.

        Raises:
            StoreUnavailable: The database is away.
        """
        with reading(self._engine) as connection:
            return _read_pools(connection)

    def names(self) -> tuple[str, ...]:
        """Return the names of the pools that were made.

        Raises:
            StoreUnavailable: The database is away.
        """
        with reading(self._engine) as connection:
            return tuple(connection.execute(select(pool.c.name).order_by(pool.c.name)).scalars())

    def set(self, name: str, slots: int) -> tuple[StoredPool, tuple[int, ...]]:
        """Give a pool this many slots, and the new ones at once to those who wait; a new pool is made.

        Nobody loses a slot: what is taken beyond the number is not given out again.

        Returns:
            The pool as it stands then, and the ids of the runs that have mail about a slot.

        Raises:
            StoreUnavailable: The database is away.
        """
        with writing(self._engine) as connection:
            if name not in pool_slots.lock(connection, [name]):
                connection.execute(pool_slots.insert_new(connection, pool), {"name": name, "slots": slots})
            connection.execute(update(pool).where(pool.c.name == name).values(slots=slots))
            mailed = pool_slots.grant(connection, {name: slots}, database_now(connection))
            return next(one for one in _read_pools(connection) if one.name == name), tuple(mailed)

    def delete(self, name: str) -> None:
        """Delete a pool that nobody uses at this moment.

        Raises:
            NotFound: There is no such pool.
            Conflict: Attempts have slots of it, or wait for one.
            StoreUnavailable: The database is away.
        """
        with writing(self._engine) as connection:
            if name not in pool_slots.lock(connection, [name]):
                raise NotFound(f"there is no pool '{name}'; see orchestrator pools list")
            here = next(one for one in _read_pools(connection) if one.name == name)
            if here.taken or here.waiting:
                raise Conflict(
                    f"pool '{name}' is in use (slots taken: {here.taken}, tasks that wait: {here.waiting});"
                    f" to let nothing new start: orchestrator pools set {name} 0"
                )
            connection.execute(delete(pool).where(pool.c.name == name))

    def line(self, key: AttemptKey, name: str, most: int) -> Line:
        """Return how a pool stands for an attempt that waits for a slot of it, with up to `most` holders.

        Raises:
            StoreUnavailable: The database is away.
        """
        with reading(self._engine) as connection:
            pools = {one.name: one for one in _read_pools(connection)}
            columns = (*(slot[one] for one in ATTEMPT_KEY), slot.taken_at.label("since"))
            held = select(*columns).where(slot.pool == name).order_by(slot.taken_at, slot.number).limit(most)
            order = select(*(place[one] for one in ATTEMPT_KEY)).where(place.pool == name)
            waiting = [tuple(row) for row in connection.execute(order.order_by(*pool_slots.IN_LINE))]
            return Line(
                pool=pools.get(name, StoredPool(name=name, slots=None)),
                holders=tuple(Holder(**row) for row in connection.execute(held).mappings()),
                before=waiting.index(key) if key in waiting else 0,
            )

    def suspects(self) -> tuple[str, ...]:
        """Return the pools in which something seems to be wrong, or a free slot was given to nobody.

        Raises:
            StoreUnavailable: The database is away.
        """
        with reading(self._engine) as connection:
            if not connection.execute(IN_USE).scalar_one():  # what an idle master asks again and again
                return ()
            idle = {
                one.name for one in _read_pools(connection) if one.waiting and one.taken < (one.slots or 0)
            }
            found = find_faults(connection)
            wrong = {one.pool for one in (*found.leaked, *found.stale, *found.untold)}
            unknown = {one.pool for one in find_outsiders(connection)}
            return tuple(sorted(idle | wrong | unknown))

    def sweep(self, name: str, leases: Leases) -> Repairs:
        """Put one pool right, in a fenced transaction: leaked slots are free again, who waits is told or lined up.

        Args:
            name: The pool.
            leases: Some slots that the master owns: a zombie repairs nothing.

        Raises:
            LeaseLost: The master does not own them any more.
            StoreUnavailable: The database is away.
        """
        with writing(self._engine) as connection:
            now = fence(connection, leases)
            pools = pool_slots.lock(connection, [name])
            found = find_faults(connection, name)
            outsiders = [one for one in find_outsiders(connection) if one.pool == name]
            pool_slots.forget(connection, pool_slot, [one.key for one in found.leaked])
            pool_slots.forget(connection, pool_place, [one.key for one in found.stale])
            pool_slots.tell(connection, {one.key: one.line_up for one in found.untold}, now)
            pool_slots.line_up(connection, outsiders)
            granted = pool_slots.grant(connection, pools, now)
            told = (*granted, *(one.key[0] for one in found.untold))
            slots = slots_of(connection) if told else 1
            repairs = Repairs(
                leaked=len(found.leaked),
                stale=len(found.stale),
                untold=len(found.untold),
                outsiders=len(outsiders),
                granted=len(granted),
                woken=frozenset(number % slots for number in told),
            )
            if repairs.faults:
                counted = update(pool).where(pool.c.name == name)
                connection.execute(counted.values(repaired=pool.c.repaired + repairs.faults))
        return repairs


def _read_pools(connection: Connection) -> list[StoredPool]:
    taken: dict[str, int] = dict(connection.execute(TAKEN).all())
    waiting: dict[str, int] = dict(connection.execute(WAITING).all())
    made = {row.name: row for row in connection.execute(MADE)}
    return [
        StoredPool(
            name=name,
            slots=made[name].slots if name in made else None,
            taken=taken.get(name, 0),
            waiting=waiting.get(name, 0),
            repaired=made[name].repaired if name in made else 0,
        )
        for name in sorted({*made, *taken, *waiting})
    ]
