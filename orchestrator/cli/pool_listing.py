"""Owns the command `pools list`."""

import rich_click as click

from orchestrator.cli.options import json_option
from orchestrator.cli.output import print_rows
from orchestrator.cli.records import open_records
from orchestrator.service import pools

COLUMNS = ("name", "slots", "taken", "waiting")


@click.command("list", epilog="Example: orchestrator pools list --json")
@json_option
def list_pools(*, as_json: bool) -> None:
    """List the pools: their slots, how many are taken, and how many tasks wait for one."""
    with open_records() as records:
        found = pools.list_pools(records)
    print_rows(found, COLUMNS, as_json=as_json, empty="there is no pool")
