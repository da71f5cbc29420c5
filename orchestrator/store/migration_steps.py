"""Owns the use of Alembic, without an `alembic.ini`: the program knows where everything is."""

from collections.abc import Callable
from pathlib import Path

from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection

from alembic import command
from orchestrator.errors import UserError


def upgrade(connection: Connection, scripts: Path, revision: str) -> None:
    """Bring the schema up to `revision` in the connection's transaction.

    Raises:
        UserError: There is no such revision.
    """
    _run(command.upgrade, connection, scripts, revision)


def downgrade(connection: Connection, scripts: Path, revision: str) -> None:
    """Take the schema back to `revision` in the connection's transaction.

    Raises:
        UserError: There is no such revision.
    """
    _run(command.downgrade, connection, scripts, revision)


def _run(step: Callable[[Config, str], None], connection: Connection, scripts: Path, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        step(config, revision)
    except CommandError as error:
        raise UserError(f"the schema cannot go to '{revision}': {error}") from error
