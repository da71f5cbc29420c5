"""Owns the commands `masters …`: who coordinates."""

from collections.abc import Sequence

import rich_click as click

from orchestrator.cli.options import json_option
from orchestrator.cli.output import print_rows
from orchestrator.cli.session import open_backend
from orchestrator.service import fleet

COLUMNS = ("name", "slots", "epoch_max", "last_heartbeat", "incarnation")


@click.group(epilog="Example: orchestrator masters list")
def masters() -> None:
    """List masters."""


@masters.command("list", epilog="Example: orchestrator masters list --json")
@json_option
def list_masters(*, as_json: bool) -> None:
    """List the masters that have shown themselves."""
    with open_backend() as backend:
        rows = fleet.list_masters(backend)
    if not as_json:
        rows = [{**row, "slots": ranges(row["slots"])} for row in rows]
    print_rows(rows, COLUMNS, as_json=as_json, empty="no master has shown itself")


def ranges(numbers: Sequence[int]) -> str:
    """Return ascending numbers as `0-3, 7`."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1] = [parts[-1][0], number]
        else:
            parts.append([number])
    return ", ".join("-".join(map(str, part)) for part in parts)
