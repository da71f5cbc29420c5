"""Owns the commands `masters …`: who coordinates."""

import rich_click as click

from orchestrator.cli.options import json_option
from orchestrator.cli.output import print_rows
from orchestrator.cli.session import open_backend
from orchestrator.service import fleet

COLUMNS = ("name", "slots", "epoch_max", "last_heartbeat", "incarnation")


@click.group(epilog="Example: orchestrator masters list")
def masters() -> None:
    """List masters."""


@masters.command("list", epilog="Example: orchestrator masters list --json")
@json_option
def list_masters(*, as_json: bool) -> None:
    """List the masters that have shown themselves."""
    with open_backend() as backend:
        rows = fleet.list_masters(backend)
    print_rows(rows, COLUMNS, as_json=as_json, empty="no master has shown itself")
