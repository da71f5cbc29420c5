"""Owns the command `backfill`: one run for each planned time of a range."""

from typing import Any

import rich_click as click

from orchestrator.cli.options import json_option, number_type, parameter_option
from orchestrator.cli.output import print_json, print_message
from orchestrator.cli.session import open_backend, say_why_nothing_happens
from orchestrator.service import backfills as service
from orchestrator.service.wording import counted

EXAMPLE = "Example: orchestrator backfill nightly --from 2026-11-01 --to 2026-11-07 --max-parallel 2"


@click.command(epilog=EXAMPLE)
@click.argument("name")
@click.option("--from", "first", required=True, metavar="T", help="First planned time, ISO 8601; included.")
@click.option(
    "--to", "last", required=True, metavar="T", help="Last planned time; a day is meant as a whole."
)
@click.option(
    "--schedule",
    type=number_type("schedule", "schedules list"),
    metavar="ID",
    help="Whose times; default: the workflow's only schedule, without one daily.",
)
@click.option(
    "--max-parallel",
    type=click.IntRange(min=1),
    metavar="N",
    help="So many at a time; 1: the first failure ends it. Default: all at once.",
)
@click.option("--descending", is_flag=True, help="The latest planned time first.")
@click.option(
    "--existing",
    type=click.Choice(["skip", "rerun"]),
    default="skip",
    show_default=True,
    help="What becomes of planned times that have a run; `rerun` runs the last one again if it has ended.",
)
@parameter_option
@json_option
def backfill(name: str, *, parameters: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Run the workflow NAME once for each planned time of a range, both ends included; return at once.

    Times without an offset are read by the clocks of the schedule's, or the workflow's, time zone.
    """
    with open_backend() as backend:
        document = service.backfill(backend, name, service.BackfillOptions(parameters=parameters, **options))
        if as_json:
            print_json(document)
            return
        runs = document["workflow_instance_ids"]
        click.echo(f"backfill {document['backfill_id']}: {counted(len(runs), 'run')}{_listed(runs)}")
        if document["rerun"]:
            print_message(f"{len(document['rerun'])} of them were there, and run again")
        if document["skipped"]:
            why = "that has not ended" if options["existing"] == "rerun" else "already"
            print_message(f"{len(document['skipped'])} planned times have a run {why}: skipped")
        say_why_nothing_happens(backend)


def _listed(runs: list[int]) -> str:
    return f", {runs[0]} to {runs[-1]}" if len(runs) > 1 else "".join(f", {one}" for one in runs)
