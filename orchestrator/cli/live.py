"""Owns how people see a run go on: a live table on a terminal, one line per change elsewhere."""

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from types import TracebackType
from typing import Any, Protocol, Self

import rich_click as click
from rich.cells import cell_len
from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from orchestrator.cli.output import parse_time, plain_value, state_text

MARKS = {
    "SUCCESS": "✔",
    "FORCED_SUCCESS": "✔",
    "FAILURE": "✘",
    "KILLED": "✘",
    "LOST": "?",
    "SKIPPED": "↷",
    "PAUSED": "‖",
    "SUBMITTED": "·",
    "DISPATCHED": "·",
    "DELAYED": "…",
}
HEADER_LINES = 4
MOST_REASONS = 5
MOST_NAME = 40
LEAST_ROOM = 10
GAP = "  "
FIRST_TO_SHOW = (
    "RUNNING",
    "FAILURE",
    "KILLED",
    "LOST",
    "DISPATCHED",
    "DELAYED",
    "PAUSED",
    "SUBMITTED",
    "SUCCESS",
)
"""When a terminal is too small for all tasks, those that people look for stay."""

LastLine = Callable[[Mapping[str, Any]], str]
"""Returns the last line that an attempt wrote, given its element of `runs show`."""


class View(Protocol):
    """Shows a run again and again, as the document of `runs show`."""

    def __enter__(self) -> Self:
        """Begin to show."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the terminal as it was."""
        ...

    def show(self, document: Mapping[str, Any]) -> None:
        """Show the run as it is now."""
        ...


class SilentView:
    """Shows nothing: `--json` prints the document at the end."""

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """End."""

    def show(self, document: Mapping[str, Any]) -> None:
        """Show nothing."""


class LineView(SilentView):
    """One line on standard error for each change of a task's state."""

    def __init__(self, last_line: LastLine) -> None:
        self._last_line = last_line
        self._seen: dict[tuple[str, int], str] = {}

    def show(self, document: Mapping[str, Any]) -> None:
        """Print what has changed since the last time."""
        for task in document["tasks"]:
            key = (task["name"], task["attempt"])
            if self._seen.get(key) != task["state"]:
                self._seen[key] = task["state"]
                click.echo(self._line(task), err=True)

    def _line(self, task: Mapping[str, Any]) -> str:
        again = f" (attempt {task['attempt']})" if task["attempt"] > 1 else ""
        reason = f": {task['reason']}" if task["reason"] else ""
        said = self._last_line(task) if task["state"] in ("FAILURE", "KILLED") else ""
        if said and said in reason:  # the last line of a traceback is the reason
            said = ""
        line = f"{task['state']:<10} {task['name']}{again} {duration(task)}".rstrip() + reason
        return line + (f"\n           {said}" if said else "")


class LiveView(SilentView):
    """A table that is redrawn in place, with the state, time and last line of each task."""

    def __init__(self, last_line: LastLine, console: Console) -> None:
        self._last_line = last_line
        self._console = console
        self._live = Live(console=console, refresh_per_second=8, transient=False)
        self._spinners: dict[str, Spinner] = {}
        self._last: Mapping[str, Any] | None = None

    def __enter__(self) -> Self:
        """Take the terminal."""
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Give the terminal back; the last table stays, and behind it the reasons that it has no room for."""
        long = self._too_long(self._last) if self._last else []
        if self._last is not None:
            self._live.update(self._drawn(self._last, told=frozenset(task["name"] for task in long)))
        self._live.stop()
        for task in long:
            self._console.print(f"{task['name']}: {task['reason']}", soft_wrap=True)

    def show(self, document: Mapping[str, Any]) -> None:
        """Redraw the table."""
        self._last = document
        self._live.update(self._drawn(document))

    def _drawn(self, document: Mapping[str, Any], told: frozenset[str] = frozenset()) -> Group:
        """Return title and table; what was `told` elsewhere of a task is not said again."""
        tasks = _current(document)
        shown = self._fitting(tasks)
        title = Text.assemble((document["workflow"], "bold"), f" · {run_word(document)} {document['id']} · ")
        title.append_text(state_text(document["state"])).append(f" · {duration(document)}")
        parts: list[Any] = [title, self._table(shown, told)]
        if len(shown) < len(tasks):
            parts.append(Text(f"… and {len(tasks) - len(shown)} more tasks", style="dim"))
        return Group(*parts)

    def _fitting(self, tasks: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        room = max(self._console.height - HEADER_LINES, 3)
        if len(tasks) <= room:
            return list(tasks)
        rank = {state: position for position, state in enumerate(FIRST_TO_SHOW)}
        return sorted(tasks, key=lambda task: rank.get(task["state"], len(rank)))[:room]

    def _too_long(self, document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """Return the failed tasks whose reasons the table cuts or leaves out, at most a handful."""
        tasks = _current(document)
        shown = self._fitting(tasks)
        room, names = self._room(shown), {task["name"] for task in shown}
        failed = (one for one in tasks if one["state"] == "FAILURE" and one["reason"])
        long = (one for one in failed if one["name"] not in names or cell_len(one["reason"]) > room)
        return list(islice(long, MOST_REASONS))

    def _room(self, tasks: Sequence[Mapping[str, Any]]) -> int:
        """Return how many columns of the terminal are left for what a task says.

        Rich would take what is lacking from every column alike, names and states too.
        """
        rows = [(_title(task), task["state"], duration(task)) for task in tasks]
        widths = (max(map(cell_len, column)) for column in zip(*rows, strict=True))
        taken = sum(min(width, MOST_NAME) + len(GAP) for width in widths)
        return max(self._console.width - taken - 1 - len(GAP), LEAST_ROOM)

    def _table(self, tasks: Sequence[Mapping[str, Any]], told: frozenset[str]) -> Table:
        table = Table(box=None, pad_edge=False, show_header=False, padding=(0, len(GAP), 0, 0))
        table.add_column(width=1)
        table.add_column(no_wrap=True, max_width=MOST_NAME)
        table.add_column(no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(no_wrap=True, style="dim")
        room = self._room(tasks) if tasks else 0
        for task in tasks:
            said = Text("" if task["name"] in told else task["reason"] or self._last_line(task))
            said.truncate(room, overflow="ellipsis")
            table.add_row(self._mark(task), _title(task), state_text(task["state"]), duration(task), said)
        return table

    def _mark(self, task: Mapping[str, Any]) -> Spinner | Text:
        if task["state"] == "RUNNING":
            return self._spinners.setdefault(task["name"], Spinner("dots", style="cyan"))
        mark = state_text(task["state"])
        mark.plain = MARKS.get(task["state"], "·")
        return mark


def _current(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [task for task in document["tasks"] if task["current"]]


def _title(task: Mapping[str, Any]) -> str:
    again = f" #{task['attempt']}" if task["attempt"] > 1 else ""
    return f"{task['name']}{again}"


def make_view(last_line: LastLine, *, silent: bool) -> View:
    """Return the view that fits where the output goes."""
    if silent:
        return SilentView()
    console = Console(stderr=True, highlight=False, markup=False)
    return LiveView(last_line, console) if console.is_terminal else LineView(last_line)


def duration(one: Mapping[str, Any]) -> str:
    """Return how long a task or a run has taken so far, as `3.2s` or `1m05s`; empty before its start."""
    if not one["started_at"]:
        return ""
    end = parse_time(one["ended_at"]) if one["ended_at"] else datetime.now(UTC)
    return spell((end - parse_time(one["started_at"])).total_seconds())


def spell(seconds: float) -> str:
    """Return a length of time as people say it."""
    seconds = max(seconds, 0.0)
    if seconds < 60:  # noqa: PLR2004 - seconds of a minute
        return f"{seconds:.1f}s"
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{seconds:02}s"


def print_summary(document: Mapping[str, Any]) -> None:
    """Print the outputs on standard output, and how the run ended on standard error."""
    for name, value in document["outputs"].items():
        click.echo(f"{name} = {plain_value(value)}")
    sys.stdout.flush()
    counts: dict[str, int] = {}
    for task in document["tasks"]:
        if task["current"]:
            counts[task["state"]] = counts.get(task["state"], 0) + 1
    told = ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "no tasks ran"
    reason = f" ({document['reason']})" if document["reason"] else ""
    headline = f"{document['workflow']} {run_word(document)} {document['id']}: {document['state']}{reason}"
    executed = "; nothing was executed" if document["dry_run"] else ""
    click.echo(f"{headline} in {duration(document) or '0s'}: {told}{executed}", err=True)


def run_word(document: Mapping[str, Any]) -> str:
    """Return what to call this run: one that executes nothing must not be taken for a real one."""
    return "dry run" if document["dry_run"] else "run"
