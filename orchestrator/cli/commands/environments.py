"""Owns the commands `environments …`: named sets of variables that tasks and workflows refer to."""

import rich_click as click

from orchestrator.cli.options import json_option
from orchestrator.cli.output import print_json, print_rows
from orchestrator.cli.records import open_records
from orchestrator.service import environments as service

COLUMNS = ("name", "variable", "value")


@click.group(epilog="Example: orchestrator environments list")
def environments() -> None:
    """Look at environments, named sets of variables, and change them."""


@environments.command("list", epilog="Example: orchestrator environments list --json")
@json_option
def list_environments(*, as_json: bool) -> None:
    """List the environments with their variables."""
    with open_records() as records:
        found = service.list_environments(records)
    rows = found
    if not as_json:
        rows = [
            {"name": one["name"], "variable": name, "value": value}
            for one in found
            for name, value in (one["variables"] or {"": ""}).items()
        ]
    print_rows(rows, COLUMNS, as_json=as_json, empty="there is no environment")


@environments.command(
    "set", epilog="Example: orchestrator environments set staging REGION=eu TOKEN=secret://token"
)
@click.argument("name", metavar="NAME")
@click.argument("variables", nargs=-1, metavar="K=V...")
@click.option("--without", multiple=True, metavar="K", help="Remove this variable; may be repeated.")
@json_option
def set_variables(name: str, variables: tuple[str, ...], without: tuple[str, ...], *, as_json: bool) -> None:
    """Set variables of an environment; others stay. What is dispatched from now on sees them."""
    given = dict(_split(one) for one in variables)
    with open_records() as records:
        stored = service.set_variables(records, name, given, without=without)
    if as_json:
        print_json(stored)
    else:
        click.echo(f"{name}: {len(stored['variables'])} variables")


@environments.command(epilog="Example: orchestrator environments delete staging")
@click.argument("name", metavar="NAME")
@click.option("--force", is_flag=True, help="Also if a workflow or a run needs it: its tasks fail then.")
@json_option
def delete(name: str, *, force: bool, as_json: bool) -> None:
    """Delete an environment that no workflow that is online, and no run that goes on, refers to."""
    with open_records() as records:
        document = service.delete(records, name, force=force)
    if as_json:
        print_json(document)
    else:
        click.echo(f"{name} is deleted")


def _split(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"'{text}' is not K=V", param_hint="K=V...")
    return name, value
