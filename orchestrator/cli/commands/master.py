"""Owns the command `master`: one coordinating daemon."""

import rich_click as click

from orchestrator.cli.settings import open_settings
from orchestrator.service import schema
from orchestrator.wiring import run_master


@click.command(epilog="Example: orchestrator master")
@click.option("--migrate", is_flag=True, help="Bring the database's schema up to date first.")
@click.pass_context
def master(ctx: click.Context, *, migrate: bool) -> None:
    """Run one master until SIGTERM or Ctrl-C."""
    settings = open_settings()
    if migrate:
        schema.upgrade(settings)
    ctx.exit(run_master(settings))
