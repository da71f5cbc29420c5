"""Owns the command `run`: one workflow of a file, from an empty machine to its end."""

from pathlib import Path

import rich_click as click

from orchestrator.cli.options import json_option, parameter_option, start_node_option
from orchestrator.cli.settings import open_settings
from orchestrator.embedded.home import Home
from orchestrator.embedded.launch import warm_up


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
    """Run one workflow of FILE to its end, with live progress: the one that no other of FILE calls.

    What is not running is started (a private Redis, SQLite, a master, a worker) and ended with the last
    `run`. Ctrl-C stops the workflow and waits for it; a second Ctrl-C leaves at once. Ends 0 if the
    workflow ends SUCCESS, else 1.
    """
    settings = open_settings()
    warm = warm_up(Home(path=settings.home))
    from orchestrator.cli.running import (  # noqa: PLC0415 - slow; the supervisor loads, too
        RunRequest,
        prepare,
        stay,
        what_is_started,
    )
    from orchestrator.service.signs import check_services  # noqa: PLC0415 - the same

    request = RunRequest(
        file=file, workflow=workflow, parameters=parameters, start_nodes=start_nodes, dry_run=dry_run
    )
    prepared = prepare(request)
    check_services(settings)  # nothing of the set-up could work without them, and nothing is stored yet
    if warm is not None and not as_json:
        click.echo(what_is_started(settings), err=True)
    with stay(settings, prepared.found, warm) as guest:
        from orchestrator.cli.performing import perform  # noqa: PLC0415 - slow to load; the set-up starts meanwhile

        code = perform(settings, guest, prepared, starts=warm is not None, as_json=as_json)
    ctx.exit(code)
