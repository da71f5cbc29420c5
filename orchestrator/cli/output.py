"""Owns what commands print: one JSON document or a table on standard output, messages on standard error."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import rich_click as click
from rich.console import Console
from rich.table import Table
from rich.text import Text

STATE_STYLES = {
    "SUCCESS": "green",
    "FORCED_SUCCESS": "green",
    "RUNNING": "cyan",
    "FAILURE": "bold red",
    "KILLED": "red",
    "LOST": "magenta",
    "STOPPED": "red",
    "PAUSED": "yellow",
    "PAUSING": "yellow",
    "STOPPING": "yellow",
    "SKIPPED": "dim",
    "SUBMITTED": "dim",
}


def print_json(document: Any) -> None:
    """Print one JSON document on one line."""
    click.echo(json.dumps(document, default=_plain))


def print_message(text: str) -> None:
    """Tell the user something that is not the command's result."""
    click.echo(text, err=True)


def output_console() -> Console:
    """Return the console of standard output."""
    return Console(file=sys.stdout, highlight=False, markup=False, soft_wrap=not sys.stdout.isatty())


def print_table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str], *, empty: str) -> None:
    """Print rows as a table with these columns, in this order; `empty` is said when there are none.

    Where standard output is not a terminal, cells are separated by tabs: other programs read that.
    """
    rows = list(rows)
    if not rows:
        print_message(empty)
    elif sys.stdout.isatty():
        output_console().print(_table(rows, columns))
    else:
        for row in rows:
            click.echo("\t".join(cell(column, row.get(column)) for column in columns))


def print_rows(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool, empty: str
) -> None:
    """Print a list as JSON or as a table."""
    if as_json:
        print_json(list(rows))
    else:
        print_table(rows, columns, empty=empty)


def cell(column: str, value: Any) -> str:
    """Return a value as people read it: times in local time, lists with commas."""
    if value is None:
        return "-"
    if column.endswith("_at") or column in ("planned_time", "last_heartbeat", "since"):
        return local_time(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(str(one) for one in value) or "-"
    if isinstance(value, dict):
        return json.dumps(value, default=_plain)
    return str(value)


def plain_value(value: Any) -> str:
    """Return data as it is: a text alone as itself, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, default=_plain)


def local_time(value: str | datetime) -> str:
    """Return an ISO 8601 time in the local zone, to the second."""
    moment = parse_time(value)
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def parse_time(value: str | datetime) -> datetime:
    """Return an aware time for its ISO 8601 text."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def state_text(state: str) -> Text:
    """Return a state in its colour."""
    return Text(state, style=STATE_STYLES.get(state, ""))


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    render: Callable[[str, Any], Text] = lambda column, value: (  # noqa: E731 - reads best in place
        state_text(value) if column == "state" else Text(cell(column, value))  # never read as Rich's markup
    )
    for row in rows:
        table.add_row(*(render(column, row.get(column)) for column in columns))
    return table


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return str(value)
