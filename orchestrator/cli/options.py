"""Owns the options that several commands share."""

from collections.abc import Callable
from pathlib import Path

import rich_click as click

LARGEST_ID = 2**63 - 1
"""The databases count so far; what is longer is not even turned into a number."""


def number_type(what: str, command: str) -> Callable[[str], int]:
    """Return what reads the id of a run, a schedule or the like.

    Args:
        what: What it is the id of, for the message.
        command: The command that lists them.
    """

    def read(text: str) -> int:
        if not text.isdecimal() or len(text) > len(str(LARGEST_ID)) or not 1 <= int(text) <= LARGEST_ID:
            raise click.BadParameter(
                f"'{text}' is no {what}'s id, which is a number; see orchestrator {command}"
            )
        return int(text)

    return read


_run_id = number_type("run", "runs list")


json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document and nothing else."
)
parameter_option = click.option(
    "-p",
    "--param",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="Start parameter; may be repeated.",
)
start_node_option = click.option(
    "--start-node",
    "start_nodes",
    multiple=True,
    metavar="TASK",
    help="Begin with this task; may be repeated.",
)
task_option = click.option("--task", metavar="TASK", help="Only this task of the run.")
id_argument = click.argument("id", type=_run_id, metavar="ID")
ids_argument = click.argument("ids", type=_run_id, nargs=-1, required=True, metavar="ID...")
files_argument = click.argument(
    "files",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    nargs=-1,
    required=True,
    metavar="FILE...",
)
