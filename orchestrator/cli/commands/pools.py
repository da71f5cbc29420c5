"""Owns the command group `pools`: named numbers of slots that tasks share; where each of its commands stands."""

import rich_click as click

from orchestrator.cli.lazy import Entry, LazyGroup

CLI = "orchestrator.cli"
CATALOGUE = {
    "list": Entry(
        target=f"{CLI}.pool_listing:list_pools",
        summary="List the pools: their slots, how many are taken, and how many tasks wait for one.",
    ),
    "set": Entry(
        target=f"{CLI}.pooling:set_slots", summary="Give a pool this many slots; a new name makes a pool."
    ),
    "delete": Entry(
        target=f"{CLI}.pooling:delete_pool",
        summary="Delete a pool that no online workflow names, no task has a slot of, and none waits for.",
    ),
}


@click.group(cls=LazyGroup, entries=CATALOGUE, epilog="Example: orchestrator pools set warehouse 3")
def pools() -> None:
    """Look at pools, and change them: of all tasks that name one, no more run at a time than it has slots."""
