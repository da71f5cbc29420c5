"""Owns the commands `runs list` and `definitions list`, which people and scripts ask most."""

import rich_click as click

from orchestrator.cli.options import json_option
from orchestrator.cli.output import print_rows
from orchestrator.cli.records import open_records
from orchestrator.core.status import WorkflowState
from orchestrator.service import finding
from orchestrator.service import runs as service

DEFINITION_COLUMNS = ("name", "version", "online", "description")
LIST_COLUMNS = ("id", "workflow", "version", "state", "parent", "submitted_at", "started_at", "ended_at")


@click.command("list", epilog="Example: orchestrator runs list --state FAILURE")
@click.option("--state", type=click.Choice([str(one) for one in WorkflowState], case_sensitive=False))
@click.option("--workflow", metavar="NAME", help="Only runs of this workflow.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@json_option
def list_runs(state: str | None, workflow: str | None, limit: int, *, as_json: bool) -> None:
    """List runs, the newest first."""
    with open_records() as records:
        rows = service.list_runs(records, state=state, workflow=workflow, limit=limit)
        empty = "no such run" if workflow is None else service.why_no_runs(records, workflow)
        print_rows(rows, LIST_COLUMNS, as_json=as_json, empty=empty)


@click.command("list", epilog="Example: orchestrator definitions list --json")
@json_option
def list_definitions(*, as_json: bool) -> None:
    """List the workflows with their latest version."""
    with open_records() as records:
        rows = finding.list_definitions(records)
    print_rows(rows, DEFINITION_COLUMNS, as_json=as_json, empty="no workflow is stored")
