"""Owns the commands `db …`: the schema of the database."""

import rich_click as click

from orchestrator.cli.settings import open_settings
from orchestrator.service import schema


@click.group(epilog="Example: orchestrator db upgrade")
def database() -> None:
    """Bring the database's schema up to date."""


@database.command(epilog="Example: orchestrator db upgrade")
def upgrade() -> None:
    """Bring the schema up to date; does nothing when it is.

    It only adds to what masters work with, so it is not refused while one works on this database.
    """
    click.echo(f"schema: {schema.upgrade(open_settings())}")


@database.command(epilog="Example: orchestrator db downgrade base --yes")
@click.argument("revision", default="-1")
@click.confirmation_option("--yes", prompt="This deletes what only the newer schema can hold. Go on?")
@click.option("--force", is_flag=True, help="Go on although a master works on this database.")
def downgrade(revision: str, *, force: bool) -> None:
    """Take the schema back to REVISION (default: one back; `base`: nothing at all).

    It is refused while a master works on this database; stop it first.
    """
    click.echo(f"schema: {schema.downgrade(open_settings(), revision, force=force) or 'empty'}")


@database.command(epilog="Example: orchestrator db current")
def current() -> None:
    """Print the schema's revision."""
    click.echo(schema.current(open_settings()) or "empty")
