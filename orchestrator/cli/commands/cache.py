"""Owns the command `cache clear`: forgetting the outputs that cached tasks have kept."""

import rich_click as click

from orchestrator.cli.options import json_option
from orchestrator.cli.output import print_json
from orchestrator.cli.session import open_backend
from orchestrator.service import cache as service
from orchestrator.service.wording import counted


@click.group(epilog="Example: orchestrator cache clear nightly --task extract")
def cache() -> None:
    """Look after the outputs that tasks with `cache: true` have kept."""


@cache.command(epilog="Example: orchestrator cache clear nightly --task extract")
@click.argument("workflow", required=False, metavar="[WORKFLOW]")
@click.option("--task", metavar="TASK", help="Only of this task of the workflow.")
@click.option(
    "--older-than",
    metavar="DURATION",
    help="Only what was kept for longer: 12h, 7d.",
)
@json_option
def clear(workflow: str | None, task: str | None, older_than: str | None, *, as_json: bool) -> None:
    """Forget kept outputs, of one workflow or of all: the tasks run again the next time."""
    if task is not None and workflow is None:
        raise click.UsageError("--task belongs to a workflow: orchestrator cache clear WORKFLOW --task TASK")
    with open_backend() as backend:
        document = service.clear(backend, workflow, task, older_than)
    if as_json:
        print_json(document)
    else:
        click.echo(f"{counted(document['cleared'], 'kept result')} forgotten")
