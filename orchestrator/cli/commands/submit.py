"""Owns the command `submit`: start a run and return at once."""

from datetime import datetime
from pathlib import Path
from typing import Any

import rich_click as click

from orchestrator.cli.options import json_option, parameter_option, start_node_option
from orchestrator.cli.output import print_json
from orchestrator.cli.session import open_backend, say_why_nothing_happens
from orchestrator.core.definition import OnFailure, Priority
from orchestrator.errors import UserError
from orchestrator.service import submission

FILE_SUFFIXES = (".yaml", ".yml", ".py")


@click.command(epilog="Example: orchestrator submit nightly -p region=eu --idempotency-key 2026-11-01")
@click.argument("target", metavar="NAME|FILE")
@parameter_option
@click.option("--idempotency-key", help="The same key gives the same run, however often it is submitted.")
@click.option(
    "--planned-time",
    metavar="T",
    help="What the run is about, ISO 8601; without an offset in the workflow's zone; default: now.",
)
@click.option(
    "--priority", type=click.Choice([str(one) for one in Priority]), help="Instead of the workflow's."
)
@click.option("--worker-group", help="Instead of the workflow's.")
@click.option(
    "--on-failure", type=click.Choice([str(one) for one in OnFailure]), help="Instead of the workflow's."
)
@start_node_option
@click.option(
    "--depends",
    type=click.Choice(["only", "upstream", "downstream"]),
    help="What runs besides the start nodes; default: downstream.",
)
@click.option("--dry-run", is_flag=True, help="Walk the whole graph; execute nothing.")
@json_option
def submit(target: str, *, as_json: bool, **options: Any) -> None:
    """Start a run of the workflow NAME, or of the one in FILE (which is deployed first); return at once."""
    parameters = options.pop("parameters")
    chosen = _options(**options)
    with open_backend() as backend:
        path = _file(target)
        name = submission.deploy_file(backend, path) if path is not None else target
        document = submission.submit_texts(backend, name, parameters, chosen)
        if as_json:
            print_json(document)
            return
        again = "" if document["created"] else " (submitted before)"
        click.echo(f"run {document['workflow_instance_id']}: {document['state']}{again}")
        say_why_nothing_happens(backend)


def _file(target: str) -> Path | None:
    """Return the file that the target is, `None` for the name of a workflow.

    Raises:
        UserError: It can only be a file, and there is none.
    """
    path = Path(target)
    if path.is_file():
        return path
    if len(path.parts) > 1 or path.suffix in FILE_SUFFIXES:
        raise UserError(f"{target}: there is no such file (workflows are submitted by NAME, or by FILE)")
    return None


def _options(
    planned_time: str | None, priority: str | None, on_failure: str | None, **options: Any
) -> submission.SubmitOptions:
    return submission.SubmitOptions(
        planned_time=_time(planned_time) if planned_time else None,
        priority=Priority(priority) if priority else None,
        on_failure=OnFailure(on_failure) if on_failure else None,
        **options,
    )


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text} is not an ISO 8601 time", param_hint="--planned-time") from None
