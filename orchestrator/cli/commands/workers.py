"""Owns the commands `workers …`: who works, and who shall take nothing new."""

import rich_click as click

from orchestrator.cli.options import json_option
from orchestrator.cli.output import print_json, print_rows
from orchestrator.cli.session import open_backend
from orchestrator.service import fleet

COLUMNS = ("name", "state", "groups", "capacity", "running", "last_heartbeat", "incarnation")


@click.group(epilog="Example: orchestrator workers list")
def workers() -> None:
    """List workers; drain them."""


@workers.command("list", epilog="Example: orchestrator workers list --json")
@json_option
def list_workers(*, as_json: bool) -> None:
    """List the workers that have shown themselves."""
    with open_backend() as backend:
        rows = fleet.list_workers(backend)
    print_rows(rows, COLUMNS, as_json=as_json, empty="no worker has shown itself")


@workers.command(epilog="Example: orchestrator workers drain w1@host")
@click.argument("name")
@json_option
def drain(name: str, *, as_json: bool) -> None:
    """Let a worker take nothing new; what it runs ends."""
    with open_backend() as backend:
        fleet.drain(backend, name)
    _answer(name, "draining", as_json=as_json)


@workers.command(epilog="Example: orchestrator workers resume w1@host")
@click.argument("name")
@json_option
def resume(name: str, *, as_json: bool) -> None:
    """Let a drained worker take tasks again."""
    with open_backend() as backend:
        fleet.resume(backend, name)
    _answer(name, "active", as_json=as_json)


def _answer(name: str, state: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"name": name, "state": state})
    else:
        click.echo(f"{name}: {state}")
