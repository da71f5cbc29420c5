"""Owns the command `runs show`: one run as people see it."""

import sys
from collections.abc import Mapping
from shlex import quote
from typing import Any

import rich_click as click

from orchestrator.cli.elements import in_short
from orchestrator.cli.live import duration, run_word
from orchestrator.cli.options import id_argument, json_option
from orchestrator.cli.output import cell, print_json, print_message, print_table
from orchestrator.cli.session import open_backend, say_why_nothing_happens
from orchestrator.core.status import TASK_FINAL, TaskState, WorkflowState
from orchestrator.service import runs as service

MOST_SHOWN = 400
"""So many characters of parameters or outputs are shown on a terminal."""

HELD_OR_OVER = {TaskState.PAUSED, *TASK_FINAL}
TASK_COLUMNS = ("name", "type", "state", "attempt", "time", "worker", "exit_code", "reason", "outputs")


@click.command(epilog="Example: orchestrator runs show 17")
@id_argument
@json_option
def show(id: int, *, as_json: bool) -> None:  # noqa: A002 - the option's public name
    """Show one run with all its task instances."""
    with open_backend() as backend:
        document = service.show(backend, id)
        if as_json:
            print_json(document)
            return
        _print_run(document)
        if not service.is_final(document):
            print_message(_what_next(document))
            say_why_nothing_happens(backend)


def _print_run(document: dict[str, Any]) -> None:
    reason = f" ({document['reason']})" if document["reason"] else ""
    click.echo(f"{run_word(document)} {document['id']}: {document['workflow']} version {document['version']}")
    click.echo(f"{document['state']}{reason} {duration(document)}".rstrip())
    if document["parent"] is not None:
        click.echo(f"a child of run {document['parent']}")
    for name in ("params", "outputs"):
        if document[name]:
            click.echo(f"{name}: {_in_short(cell(name, document[name]))}")
    for task in () if service.is_final(document) else document["held"]:
        click.echo(
            f"{task} is paused by name: orchestrator runs resume {document['id']} --task {quote(task)}"
        )
    rows = [
        {**task, "time": duration(task), "outputs": task["outputs"] or None} for task in document["tasks"]
    ]
    columns = (*TASK_COLUMNS, "child") if any(row["child"] is not None for row in rows) else TASK_COLUMNS
    print_table(in_short(rows), columns, empty="no task was submitted yet")


def _what_next(document: Mapping[str, Any]) -> str:
    """Return how to go on looking: a run that is held does not go on by itself."""
    number, states = document["id"], {task["state"] for task in document["tasks"] if task["current"]}
    if document["state"] == WorkflowState.PAUSED:
        return f"it is held: orchestrator runs resume {number}"
    if document["state"] == WorkflowState.WAITING:
        return f"it waits for its turn: orchestrator runs explain {number}"
    if document["held"] and TaskState.PAUSED in states and states <= HELD_OR_OVER:
        return f"it is held until what is paused by name is resumed: orchestrator runs explain {number}"
    return f"it goes on: orchestrator runs watch {number}"


def _in_short(text: str) -> str:
    """Return a text that fits on a terminal; programs get all of it."""
    if len(text) <= MOST_SHOWN or not sys.stdout.isatty():
        return text
    return f"{text[:MOST_SHOWN]}… ({len(text)} characters; all of them with --json)"
