"""Owns the command group `definitions`: where each of its commands stands, so that one is loaded alone."""

import rich_click as click

from orchestrator.cli.lazy import Entry, LazyGroup

CLI = "orchestrator.cli"
CATALOGUE = {
    "list": Entry(
        target=f"{CLI}.listing:list_definitions", summary="List the workflows with their latest version."
    ),
    "show": Entry(
        target=f"{CLI}.defining:show", summary="Show one version of a workflow, the latest by default."
    ),
    "online": Entry(
        target=f"{CLI}.defining:online", summary="Let a workflow be submitted; its schedules fire."
    ),
    "offline": Entry(
        target=f"{CLI}.defining:offline",
        summary="Let a workflow be submitted no more; its runs go on, its schedules rest.",
    ),
    "delete": Entry(
        target=f"{CLI}.defining:delete",
        summary="Delete a workflow that is offline and was never run, with all its versions and schedules.",
    ),
}


@click.group(cls=LazyGroup, entries=CATALOGUE, epilog="Example: orchestrator definitions list")
def definitions() -> None:
    """Look at stored workflows; let them be submitted, or not."""
