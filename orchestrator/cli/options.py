"""Owns the options that several commands share."""

from pathlib import Path

import rich_click as click

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
id_argument = click.argument("id", type=click.IntRange(min=1), metavar="ID")
ids_argument = click.argument("ids", type=click.IntRange(min=1), nargs=-1, required=True, metavar="ID...")
files_argument = click.argument(
    "files",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    nargs=-1,
    required=True,
    metavar="FILE...",
)
