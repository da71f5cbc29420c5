"""Owns the command `run`: one workflow of a file, from an empty machine to its end."""

from pathlib import Path

import rich_click as click

from orchestrator.cli.live import make_view, print_summary
from orchestrator.cli.options import parameter_option, start_node_option
from orchestrator.cli.output import json_option, print_json, print_message
from orchestrator.cli.running import RunRequest, run_to_its_end
from orchestrator.cli.session import NOT_SUCCESSFUL, open_settings
from orchestrator.service import runs

INTERRUPTED = 130


@click.command(epilog="Example: orchestrator run examples/hello.yaml -p name=World")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@parameter_option
@start_node_option
@click.option("--workflow", help="Which workflow, if the file holds several.")
@click.option("--dry-run", is_flag=True, help="Walk the whole graph; execute nothing.")
@json_option
@click.pass_context
def run(  # noqa: PLR0913 - one argument per option
    ctx: click.Context,
    file: Path,
    parameters: tuple[str, ...],
    start_nodes: tuple[str, ...],
    workflow: str | None,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Run one workflow of FILE to its end, with live progress.

    What is not running is started (a private Redis, SQLite, a master, a worker) and ended with the last
    `run`. Ctrl-C stops the workflow and waits for it; a second Ctrl-C leaves at once. Ends 0 if the
    workflow ends SUCCESS, else 1.
    """
    settings = open_settings()
    request = RunRequest(
        file=file, workflow=workflow, parameters=parameters, start_nodes=start_nodes, dry_run=dry_run
    )
    document, interrupted = run_to_its_end(
        settings, request, lambda last_line: make_view(last_line, silent=as_json), print_message
    )
    if as_json:
        print_json(document)
    else:
        print_summary(document)
    if interrupted:
        ctx.exit(INTERRUPTED)
    ctx.exit(0 if runs.has_succeeded(document) else NOT_SUCCESSFUL)
