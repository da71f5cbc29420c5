"""Owns the command `runs logs`: what attempts wrote."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import Any

import rich_click as click

from orchestrator.authoring.names import which
from orchestrator.cli.options import id_argument, json_option
from orchestrator.cli.output import local_time, print_json, print_message
from orchestrator.cli.records import opened, pause
from orchestrator.cli.settings import open_settings
from orchestrator.cli.unwritten import is_worth_a_line, what_to_read
from orchestrator.config import Settings
from orchestrator.core.elements import group_of
from orchestrator.errors import NotFound, UserError
from orchestrator.service import runs
from orchestrator.service.finding import find
from orchestrator.service.records import Records
from orchestrator.worker.logs import LogLine, attempt_log_path, read_log

LOOK_S = 0.2


@click.command(epilog="Example: orchestrator runs logs 17 extract --follow")
@id_argument
@click.argument("task", required=False)
@click.option("--attempt", type=click.IntRange(min=1), help="Default: the current one.")
@click.option("--follow", is_flag=True, help="Go on until the run ends.")
@json_option
def logs(id: int, task: str | None, attempt: int | None, *, follow: bool, as_json: bool) -> None:  # noqa: A002 - the option's public name
    """Print what the attempts of a run wrote (of TASK, or of all tasks), exactly as written.

    Of a map: what its elements wrote. A task that no worker runs writes nothing; of a sub_workflow the command
    for the logs of its run is named.
    """
    if follow and as_json:
        raise UserError("--follow and --json contradict each other: the document has an end")
    settings = open_settings()
    with opened(Records, settings) as records:
        if follow:
            _follow(records, settings, id, task)
            return
        chosen = _chosen(records, runs.show(records, id), task, attempt)
    if as_json:
        print_json([_document(one, line) for one in chosen for line in read_log(_path(settings, id, one))])
        if len(chosen) == 1 and (elsewhere := what_to_read(id, chosen[0])):
            print_message(elsewhere)
        return
    for one in chosen:
        _print_all(id, one, _path(settings, id, one), with_title=len(chosen) > 1)


def _chosen(
    records: Records, document: dict[str, Any], task: str | None, attempt: int | None
) -> list[dict[str, Any]]:
    """Return the attempts whose output is meant.

    Raises:
        NotFound: There is no such task or attempt in this run.
    """
    elements = [one for one in document["tasks"] if task is not None and group_of(one["name"]) == task]
    of_task = elements or [one for one in document["tasks"] if task in (None, one["name"])]
    if task is not None and not of_task:
        raise NotFound(_none_of(records, document, task))
    chosen = [one for one in of_task if (one["current"] if attempt is None else one["attempt"] == attempt)]
    if not chosen and attempt is not None:
        raise NotFound(f"run {document['id']} has no attempt {attempt} of {task or 'any task'}")
    return chosen


def _none_of(records: Records, document: dict[str, Any], task: str) -> str:
    """Return why there is no attempt: the task has not begun, or there is no such task."""
    number = document["id"]
    definition = find(records, document["workflow"], document["version"]).definition
    names = [one.name for one in definition.tasks]
    if task in names:
        return f"'{task}' of run {number} has not begun: orchestrator runs explain {number} {quote(task)}"
    return f"run {number} has no task '{task}'" + which(task, names)


def _path(settings: Settings, workflow_instance_id: int, task: dict[str, Any]) -> Path:
    return attempt_log_path(settings.logs, workflow_instance_id, task["name"], task["attempt"])


def _document(task: dict[str, Any], line: LogLine) -> dict[str, Any]:
    place = {"task": task["name"], "attempt": task["attempt"]}
    return {**place, "time": line.at, "stream": line.stream, "text": line.text}


def _print_all(number: int, task: dict[str, Any], path: Path, *, with_title: bool) -> None:
    if with_title:
        when = f", {local_time(task['started_at'])}" if task["started_at"] else ""
        print_message(f"== {task['name']}, attempt {task['attempt']}, {task['state']}{when}")
    if not path.exists():
        elsewhere = what_to_read(number, task)
        if elsewhere and (not with_title or is_worth_a_line(task)):
            print_message(elsewhere)
        elif not with_title:
            print_message(f"{task['name']} has written nothing on this machine ({path})")
        return
    with path.open("rb") as file:
        shutil.copyfileobj(file, sys.stdout.buffer)
    sys.stdout.buffer.flush()


def _follow(records: Records, settings: Settings, workflow_instance_id: int, task: str | None) -> None:
    """Print what is written, as it is written, until the run has ended."""
    positions: dict[Path, int] = {}
    pointed: set[str] = set()
    while True:
        document = runs.show(records, workflow_instance_id)
        for one in _chosen(records, document, task if document["tasks"] else None, None):
            elsewhere = what_to_read(workflow_instance_id, one, follow=True)
            if elsewhere and elsewhere not in pointed and (task is not None or is_worth_a_line(one)):
                pointed.add(elsewhere)
                print_message(elsewhere)
            path = _path(settings, workflow_instance_id, one)
            for piece in _new(path, positions):
                click.echo(piece, nl=False)
        if runs.is_final(document):
            return
        pause(LOOK_S)


def _new(path: Path, positions: dict[Path, int]) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            file.seek(positions.get(path, 0))
            piece = file.read()
    except FileNotFoundError:
        return
    positions[path] = positions.get(path, 0) + len(piece)
    yield piece
