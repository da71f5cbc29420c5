"""Owns the commands that change pools: `pools set` and `pools delete`."""

import rich_click as click

from orchestrator.cli.options import json_option
from orchestrator.cli.output import print_json
from orchestrator.cli.records import open_records
from orchestrator.cli.session import open_backend
from orchestrator.service import pool_sizes, pools
from orchestrator.service.wording import counted, waiting


@click.command(
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
        stored = pool_sizes.set_slots(backend, name, slots)
    if as_json:
        print_json(stored)
    else:
        click.echo(
            f"{name}: {stored['taken']} of {counted(slots, 'slot')} taken, {waiting(stored['waiting'])}"
        )


@click.command("delete", epilog="Example: orchestrator pools delete warehouse")
@click.argument("name", metavar="NAME")
@json_option
def delete_pool(name: str, *, as_json: bool) -> None:
    """Delete a pool that no online workflow names, no task has a slot of, and none waits for."""
    with open_records() as records:
        deleted = pools.delete(records, name)
    if as_json:
        print_json(deleted)
    else:
        click.echo(f"{name}: deleted")
