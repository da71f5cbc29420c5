"""Owns the options that several commands share."""

from pathlib import Path
from typing import Any

import rich_click as click


class RunId(click.ParamType[int]):
    """The id of a run: a whole number from 1."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number that the text is."""
        if not str(value).isdecimal() or int(value) < 1:
            self.fail(f"'{value}' is no run's id, which is a number; see orchestrator runs list", param, ctx)
        return int(value)


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
id_argument = click.argument("id", type=RunId(), metavar="ID")
ids_argument = click.argument("ids", type=RunId(), nargs=-1, required=True, metavar="ID...")
files_argument = click.argument(
    "files",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    nargs=-1,
    required=True,
    metavar="FILE...",
)
