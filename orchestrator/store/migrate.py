"""Owns the way of the schema up and down, and the refusal to work on any but the right one."""

from collections.abc import Callable
from pathlib import Path

from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.script.revision import ResolutionError
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, text

import orchestrator
from alembic import command
from orchestrator.errors import SchemaMismatch, UserError
from orchestrator.store.session import is_postgres, reading, writing

ADVISORY_LOCK = 0x6F726368
"""Two upgrades of one PostgreSQL database follow one another (SQLite has one writer anyway)."""


def check(engine: Engine) -> None:
    """Return if the database has exactly the schema that this program was written for.

    Raises:
        SchemaMismatch: It is older, newer, or there is none; the message holds the command to run.
        StoreUnavailable: The database is away.
    """
    here, wanted = current(engine), head()
    if here == wanted:
        return
    if here is None:
        raise SchemaMismatch("the database has no tables yet; run  orchestrator db upgrade")
    if _is_known(here):
        raise SchemaMismatch(
            f"the database has schema {here}, this program needs {wanted}; run  orchestrator db upgrade"
        )
    raise SchemaMismatch(
        f"the database has schema {here}, which is newer than this program ({wanted}); install the version of"
        " orchestrator that made it, or with that version run  orchestrator db downgrade; then  orchestrator db"
        " upgrade"
    )


def current(engine: Engine) -> str | None:
    """Return the revision of the database's schema, or `None` when it has none.

    Raises:
        StoreUnavailable: The database is away.
    """
    with reading(engine) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head() -> str:
    """Return the revision of the schema that this program needs."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None  # noqa: S101  the package ships at least one
    return revision


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the schema up to `revision`, in one transaction.

    Raises:
        UserError: There is no such revision.
        SchemaMismatch: The database's own revision is unknown to this program.
        StoreUnavailable: The database is away.
    """
    with writing(engine) as connection:
        _run(connection, command.upgrade, revision)


def downgrade(engine: Engine, revision: str = "-1") -> None:
    """Take the schema back to `revision` (`-1`: one step, `base`: no tables), in one transaction.

    Raises:
        UserError: There is no such revision.
        SchemaMismatch: The database's own revision is unknown to this program.
        StoreUnavailable: The database is away.
    """
    with writing(engine) as connection:
        _run(connection, command.downgrade, revision)


def script_location() -> Path:
    """Return the directory of the migrations: beside the source tree, else inside the installed package."""
    package = Path(orchestrator.__file__).parent
    beside = package.parent / "alembic"  # in site-packages this would be the library of that name
    if (beside / "env.py").is_file() and not (beside / "__init__.py").exists():
        return beside
    return package / "_alembic"


def _run(connection: Connection, step: Callable[[Config, str], None], revision: str) -> None:
    if is_postgres(connection):
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": ADVISORY_LOCK})
    config = _config()
    config.attributes["connection"] = connection
    try:
        step(config, revision)
    except CommandError as error:
        here = MigrationContext.configure(connection).get_current_revision()
        if here is not None and not _is_known(here):
            raise SchemaMismatch(
                f"the database has schema {here}, which this program does not know"
            ) from error
        raise UserError(f"the schema cannot go to '{revision}': {error}") from error


def _is_known(revision: str) -> bool:
    try:
        return ScriptDirectory.from_config(_config()).get_revision(revision) is not None
    except (CommandError, ResolutionError):
        return False


def _config() -> Config:
    config = Config()  # no alembic.ini: the program knows where everything is
    config.set_main_option("script_location", str(script_location()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
