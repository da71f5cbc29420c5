"""Owns the way of the schema up and down, and the refusal to work on any but the right one."""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

import orchestrator
from orchestrator.errors import Conflict, SchemaMismatch
from orchestrator.store.masters import lock_and_name_holders
from orchestrator.store.schema import slot_lease
from orchestrator.store.session import is_postgres, reading, writing

HEAD = "0015"
"""Revision of the schema that this program needs: the last file in `alembic/versions`."""

ADVISORY_LOCK = 0x6F726368
"""Two upgrades of one PostgreSQL database follow one another (SQLite has one writer anyway)."""

VERSION_TABLE = "alembic_version"


def check(engine: Engine) -> None:
    """Return if the database has exactly the schema that this program was written for.

    Raises:
        SchemaMismatch: It is older, newer, or there is none; the message holds the command to run.
        StoreUnavailable: The database is away.
    """
    here = current(engine)
    if here == HEAD:
        return
    if here is None:
        raise SchemaMismatch(
            "the database has no tables yet; run  orchestrator db upgrade"
            "  (for a database of their own `orchestrator up` and `run` do it: if one is starting, try again)"
        )
    if here in known_revisions():
        raise SchemaMismatch(
            f"the database has schema {here}, this program needs {HEAD}; run  orchestrator db upgrade"
        )
    raise _newer(here)


def current(engine: Engine) -> str | None:
    """Return the revision of the database's schema, or `None` when it has none.

    Raises:
        StoreUnavailable: The database is away.
    """
    with reading(engine) as connection:
        return _current(connection)


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the schema up to `revision`, in one transaction.

    Args:
        engine: Opened with the role `migration`: statements may take long.
        revision: A revision, or `head`: the one that this program needs.

    Raises:
        UserError: There is no such revision.
        SchemaMismatch: The database's own revision is unknown to this program.
        StoreUnavailable: The database is away.
    """
    from orchestrator.store import migration_steps  # noqa: PLC0415  alembic takes 0.3 s to import

    _move(engine, lambda connection: migration_steps.upgrade(connection, script_location(), revision))


def downgrade(engine: Engine, revision: str = "-1", *, force: bool = False) -> None:
    """Take the schema back to `revision`, in one transaction.

    Unlike a way up, which adds before anything is taken away, it takes from a living master what it writes to.

    Args:
        engine: Opened with the role `migration`: statements may take long.
        revision: A revision, `-1` for one step, or `base` for no tables at all.
        force: Whether to go on although masters hold leases.

    Raises:
        Conflict: A master holds leases; the message names it.
        UserError: There is no such revision.
        SchemaMismatch: The database's own revision is unknown to this program.
        StoreUnavailable: The database is away.
    """
    from orchestrator.store import migration_steps  # noqa: PLC0415  alembic takes 0.3 s to import

    def step(connection: Connection) -> None:
        if not force:
            _refuse_masters(connection)
        migration_steps.downgrade(connection, script_location(), revision)

    _move(engine, step)


def script_location() -> Path:
    """Return the directory of the migrations: beside the source tree, else inside the installed package."""
    package = Path(orchestrator.__file__).parent
    beside = package.parent / "alembic"  # in site-packages this would be the library of that name
    if (beside / "env.py").is_file() and not (beside / "__init__.py").exists():
        return beside
    return package / "_alembic"


def known_revisions() -> frozenset[str]:
    """Return the revisions that this program has a migration for: the first word of each file's name."""
    files = (script_location() / "versions").glob("*.py")
    return frozenset(file.name.partition("_")[0] for file in files)


def _move(engine: Engine, step: Callable[[Connection], None]) -> None:
    with writing(engine) as connection:
        if is_postgres(connection):
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": ADVISORY_LOCK})
        here = _current(connection)
        if here is not None and here not in known_revisions():
            raise _newer(here)
        step(connection)


def _refuse_masters(connection: Connection) -> None:
    if not inspect(connection).has_table(slot_lease.name):
        return
    holders = lock_and_name_holders(connection)
    if holders:
        raise Conflict(
            f"the database is in use by master {', '.join(holders)}; stop it first (one that was killed counts"
            " until its leases have expired), or take its tables away all the same with --force"
        )


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    revision: str | None = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608  a constant
    return revision


def _newer(here: str) -> SchemaMismatch:
    return SchemaMismatch(
        f"the database has schema {here}, which is newer than this program's {HEAD}; run the orchestrator that"
        " made it, or with that one  orchestrator db downgrade  and then with this one  orchestrator db upgrade"
    )
