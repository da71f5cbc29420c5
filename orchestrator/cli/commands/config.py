"""Owns the command `config`: the effective settings."""

import rich_click as click

from orchestrator import crash
from orchestrator.cli.options import json_option
from orchestrator.cli.output import cell, print_json
from orchestrator.cli.settings import open_settings


@click.command(epilog="Example: orchestrator config --json")
@click.option("--crash-points", is_flag=True, help="List the points that ORCHESTRATOR_CRASH_AT may name.")
@json_option
def config(*, crash_points: bool, as_json: bool) -> None:
    """Print the effective settings; passwords are masked."""
    if crash_points:
        _print_list(list(crash.POINTS), as_json=as_json)
        return
    values = open_settings().effective()
    if as_json:
        print_json(values)
        return
    for name, value in values.items():
        click.echo(f"{name} = {cell('', value)}")


def _print_list(names: list[str], *, as_json: bool) -> None:
    if as_json:
        print_json(names)
    else:
        click.echo("\n".join(names))
