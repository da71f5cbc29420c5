"""Owns the commands `pools …`: named numbers of slots that tasks share."""

import rich_click as click

from orchestrator.cli.options import json_option
from orchestrator.cli.output import print_json, print_rows
from orchestrator.cli.session import open_backend
from orchestrator.service import pools as service
from orchestrator.service.wording import counted, waiting

COLUMNS = ("name", "slots", "taken", "waiting")


@click.group(epilog="Example: orchestrator pools set warehouse 3")
def pools() -> None:
    """Look at pools, and change them: of all tasks that name one, no more run at a time than it has slots."""


@pools.command("list", epilog="Example: orchestrator pools list --json")
@json_option
def list_pools(*, as_json: bool) -> None:
    """List the pools: their slots, how many are taken, and how many tasks wait for one."""
    with open_backend() as backend:
        found = service.list_pools(backend)
    print_rows(found, COLUMNS, as_json=as_json, empty="there is no pool")


@pools.command(
    "set",
    epilog="Example: orchestrator pools set warehouse 3",
    context_settings={"ignore_unknown_options": True},  # -1 is a wrong number, not an unknown option
)
@click.argument("name", metavar="NAME")
@click.argument("slots", metavar="SLOTS", type=int)
@json_option
def set_slots(name: str, slots: int, *, as_json: bool) -> None:
    """Give a pool this many slots; a new name makes a pool.

    What runs goes on: a pool that is made smaller gives out no slot until it fits. With 0 nothing new starts.
    """
    with open_backend() as backend:
        stored = service.set_slots(backend, name, slots)
    if as_json:
        print_json(stored)
    else:
        click.echo(
            f"{name}: {stored['taken']} of {counted(slots, 'slot')} taken, {waiting(stored['waiting'])}"
        )


@pools.command("delete", epilog="Example: orchestrator pools delete warehouse")
@click.argument("name", metavar="NAME")
@json_option
def delete_pool(name: str, *, as_json: bool) -> None:
    """Delete a pool that no online workflow names, no task has a slot of, and none waits for."""
    with open_backend() as backend:
        deleted = service.delete(backend, name)
    if as_json:
        print_json(deleted)
    else:
        click.echo(f"{name}: deleted")
