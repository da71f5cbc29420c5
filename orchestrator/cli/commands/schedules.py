"""Owns the commands `schedules …`: when workflows run by themselves."""

import rich_click as click

from orchestrator.cli.options import json_option, number_type
from orchestrator.cli.output import local_time, print_json, print_rows
from orchestrator.cli.records import open_records
from orchestrator.service import schedules as service

COLUMNS = ("id", "workflow", "cron", "timezone", "misfire", "paused", "next_at")
MOST_TIMES = 10_000

schedule_argument = click.argument("schedule", type=number_type("schedule", "schedules list"), metavar="ID")


@click.group(epilog="Example: orchestrator schedules list")
def schedules() -> None:
    """Look at schedules, pause and resume them."""


@schedules.command("list", epilog="Example: orchestrator schedules list --json")
@json_option
def list_schedules(*, as_json: bool) -> None:
    """List the schedules of all workflows with their next run."""
    with open_records() as records:
        rows = service.list_schedules(records)
    if not as_json:
        rows = [{**row, "next_at": row["next"]} for row in rows]
    print_rows(rows, COLUMNS, as_json=as_json, empty="no workflow has a schedule")


@schedules.command(epilog="Example: orchestrator schedules pause 3")
@schedule_argument
@json_option
def pause(schedule: int, *, as_json: bool) -> None:
    """Let a schedule start nothing until it is resumed; also across new deployments."""
    _set_paused(schedule, paused=True, as_json=as_json)


@schedules.command(epilog="Example: orchestrator schedules resume 3")
@schedule_argument
@json_option
def resume(schedule: int, *, as_json: bool) -> None:
    """Let a schedule start runs again; what it missed follows its misfire rule: skip, once or all."""
    _set_paused(schedule, paused=False, as_json=as_json)


@schedules.command("next", epilog="Example: orchestrator schedules next 3 -n 10")
@schedule_argument
@click.option(
    "-n", "count", type=click.IntRange(1, MOST_TIMES), default=5, show_default=True, help="How many times."
)
@json_option
def next_times(schedule: int, count: int, *, as_json: bool) -> None:
    """Say when a schedule fires next, whether or not it is paused."""
    with open_records() as records:
        times = service.next_times(records, schedule, count)
    if as_json:
        print_json([service.iso(one) for one in times])
        return
    for one in times:
        click.echo(local_time(one))


def _set_paused(schedule: int, *, paused: bool, as_json: bool) -> None:
    with open_records() as records:
        document = service.set_paused(records, schedule, paused=paused)
    if as_json:
        print_json(document)
        return
    already = "" if document["changed"] else " already"
    click.echo(
        f"schedule {schedule} of {document['workflow']} is{already} {'paused' if paused else 'active'}"
    )
