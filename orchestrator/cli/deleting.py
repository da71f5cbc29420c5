"""Owns the command `runs delete`."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import rich_click as click

from orchestrator.cli.options import ids_argument, json_option
from orchestrator.cli.output import print_json
from orchestrator.cli.session import open_backend
from orchestrator.service import pruning
from orchestrator.service.wording import counted


@click.command(epilog="Example: orchestrator runs delete 17 18 --yes")
@ids_argument
@click.option("--yes", is_flag=True, help="Do not ask; without a terminal, and with --json, nobody is asked.")
@json_option
def delete(ids: tuple[int, ...], *, yes: bool, as_json: bool) -> None:
    """Delete runs that have ended, with their children, attempts, alerts, kept results and logs: all or none.

    A child goes with its parent alone. What is old goes by itself with `orchestrator db prune`.
    """
    if not (yes or as_json) and sys.stdin.isatty():
        click.confirm(f"This deletes {_named(ids)} for ever. Go on?", abort=True)
    with open_backend() as backend:
        answers = pruning.delete(backend, ids)
    if as_json:
        print_json(answers)
        return
    for answer in answers:
        click.echo(_said(answer))


def _named(ids: Sequence[int]) -> str:
    return f"run {ids[0]}" if len(ids) == 1 else counted(len(ids), "run")


def _said(answer: Mapping[str, Any]) -> str:
    children = len(answer["deleted"]) - 1
    family = f"{counted(children, 'child run')} and " if children else ""
    return f"run {answer['workflow_instance_id']}: deleted, with {family}{counted(answer['attempts'], 'attempt')}"
