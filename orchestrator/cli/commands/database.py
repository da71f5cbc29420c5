"""Owns the commands `db …`: the schema of the database."""

import rich_click as click

from orchestrator.cli.options import json_option
from orchestrator.cli.output import print_json, print_message
from orchestrator.cli.session import open_backend
from orchestrator.cli.settings import open_settings
from orchestrator.service import pruning, schema
from orchestrator.service.wording import counted


@click.group(epilog="Example: orchestrator db upgrade")
def database() -> None:
    """Bring the database's schema up to date; delete old runs."""


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


@database.command(epilog="Example: orchestrator db prune --older-than 90d --dry-run")
@click.option("--older-than", required=True, metavar="DURATION", help="Only what ended longer ago: 90d, 12h.")
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@json_option
def prune(older_than: str, *, dry_run: bool, as_json: bool) -> None:
    """Delete runs that ended long ago, with their children, attempts, alerts, kept results and logs.

    What goes on, waits, or may still be looked at by a dependent task stays. Masters may work meanwhile.
    """
    with open_backend() as backend:
        document = pruning.prune(backend, older_than, dry_run=dry_run)
    if as_json:
        print_json(document)
        return
    verb = "would be deleted" if dry_run else "deleted"
    click.echo(
        f"{counted(document['runs'], 'run')} with {counted(document['attempts'], 'attempt')},"
        f" {counted(document['backfills'], 'backfill')} and the logs of {counted(document['logs'], 'run')} {verb}"
    )
    if document["kept"]:
        verbs = "is still needed, and stays" if document["kept"] == 1 else "are still needed, and stay"
        print_message(f"{counted(document['kept'], 'old run')}, children with them, {verbs}")
