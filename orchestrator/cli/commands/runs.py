"""Owns the commands `runs …`: looking at runs, waiting for them, controlling them."""

import sys
import time
from collections.abc import Mapping, Sequence
from shlex import quote
from typing import Any

import rich_click as click

from orchestrator.cli.deleting import delete
from orchestrator.cli.elements import in_short
from orchestrator.cli.explaining import explain
from orchestrator.cli.follow import Watch, follow, last_line_reader
from orchestrator.cli.live import duration, make_view, print_summary, run_word
from orchestrator.cli.logs import logs
from orchestrator.cli.options import id_argument, ids_argument, json_option, parameter_option, task_option
from orchestrator.cli.output import cell, print_json, print_message, print_rows, print_table
from orchestrator.cli.session import (
    NOT_SUCCESSFUL,
    WAIT_OVER,
    open_backend,
    pause,
    say_why_nothing_happens,
)
from orchestrator.cli.settings import open_settings
from orchestrator.core.command import CommandKind
from orchestrator.core.status import TASK_FINAL, TaskState, WorkflowState
from orchestrator.service import again, control, holding
from orchestrator.service import runs as service
from orchestrator.service.backend import Backend
from orchestrator.service.parameters import read_pairs
from orchestrator.service.signals import send_signal

LIST_COLUMNS = ("id", "workflow", "version", "state", "parent", "submitted_at", "started_at", "ended_at")
MOST_SHOWN = 400
"""So many characters of parameters or outputs are shown on a terminal."""

HELD_OR_OVER = {TaskState.PAUSED, *TASK_FINAL}
TASK_COLUMNS = ("name", "type", "state", "attempt", "time", "worker", "exit_code", "reason", "outputs")


@click.group(epilog="Example: orchestrator runs list")
def runs() -> None:
    """Look at runs, wait for them, control them."""


runs.add_command(logs)
runs.add_command(explain)
runs.add_command(delete)


@runs.command("list", epilog="Example: orchestrator runs list --state FAILURE")
@click.option("--state", type=click.Choice([str(one) for one in WorkflowState], case_sensitive=False))
@click.option("--workflow", metavar="NAME", help="Only runs of this workflow.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@json_option
def list_runs(state: str | None, workflow: str | None, limit: int, *, as_json: bool) -> None:
    """List runs, the newest first."""
    with open_backend() as backend:
        rows = service.list_runs(backend, state=state, workflow=workflow, limit=limit)
        empty = "no such run" if workflow is None else service.why_no_runs(backend, workflow)
        print_rows(rows, LIST_COLUMNS, as_json=as_json, empty=empty)


@runs.command(epilog="Example: orchestrator runs show 17")
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


@runs.command(epilog="Example: orchestrator runs wait 17 18 --timeout 600")
@ids_argument
@click.option("--timeout", type=click.FloatRange(min=0), metavar="S", help="Seconds; exit code 4 when over.")
@json_option
@click.pass_context
def wait(ctx: click.Context, ids: tuple[int, ...], timeout: float | None, *, as_json: bool) -> None:
    """Wait until runs have ended: 0 if all ended SUCCESS, else 1. PAUSED is not an end."""
    with open_backend() as backend:
        documents = service.wait(backend, ids, timeout, service.Clockwork(clock=time.monotonic, pause=pause))
    if as_json:
        print_json(documents[0] if len(documents) == 1 else documents)
    else:
        for document in documents:
            click.echo(f"run {document['id']}: {document['state']}")
    ctx.exit(_code(documents))


@runs.command(epilog="Example: orchestrator runs watch 17")
@id_argument
@click.pass_context
def watch(ctx: click.Context, id: int) -> None:  # noqa: A002 - the option's public name
    """Watch a run until it ends; Ctrl-C ends the watching, not the run."""
    settings = open_settings()
    with open_backend(settings) as backend:
        if not service.look(backend, id)[1]:
            say_why_nothing_happens(backend)
        view = make_view(last_line_reader(settings.logs, id), silent=False)
        document, _ = follow(backend, id, view, Watch(pause=pause, clock=time.monotonic, on_interrupt=_leave))
    print_summary(document)
    ctx.exit(_code([document]))


@runs.command("pause", epilog="Example: orchestrator runs pause 17")
@ids_argument
@task_option
@json_option
def pause_runs(ids: tuple[int, ...], task: str | None, *, as_json: bool) -> None:
    """Let nothing new start; what runs ends, what waits is held. Or only one task: held when it is ready."""
    _control(CommandKind.PAUSE, ids, task, as_json=as_json)


@runs.command(epilog="Example: orchestrator runs resume 17")
@ids_argument
@task_option
@json_option
def resume(ids: tuple[int, ...], task: str | None, *, as_json: bool) -> None:
    """Go on with paused runs, or with one task that was paused by name: its run alone does not resume it."""
    _control(CommandKind.RESUME, ids, task, as_json=as_json)


@runs.command(epilog="Example: orchestrator runs stop 17")
@ids_argument
@json_option
def stop(ids: tuple[int, ...], *, as_json: bool) -> None:
    """Kill running tasks (TERM, 5 s, KILL) and start nothing more."""
    _control(CommandKind.STOP, ids, as_json=as_json)


@runs.command(epilog="Example: orchestrator runs signal 17 approve -p by=Ada")
@id_argument
@click.argument("task")
@parameter_option
@json_option
def signal(id: int, task: str, parameters: tuple[str, ...], *, as_json: bool) -> None:  # noqa: A002 - the option's public name
    """Give an approval task the signal that it waits for; -p are its outputs."""
    with open_backend() as backend:
        answer = send_signal(backend, id, task, read_pairs(parameters))
        if as_json:
            print_json(answer)
            return
        click.echo(
            f"run {id}: {task} signalled" if answer["sent"] else f"run {id}: {task} was signalled before"
        )
        if answer["sent"]:
            say_why_nothing_happens(backend)


@runs.command(epilog="Example: orchestrator runs recover 17")
@ids_argument
@json_option
def recover(ids: tuple[int, ...], *, as_json: bool) -> None:
    """Run again what failed, was killed or was not run, and everything behind it; the rest stays.

    For runs that have ended FAILURE or STOPPED. New attempts have their whole number of retries.
    """
    _control(CommandKind.RECOVER, ids, as_json=as_json)


@runs.command(epilog="Example: orchestrator runs rerun 17 --from load -p day=2026-11-01")
@id_argument
@click.option("--from", "start", metavar="TASK", help="Only this task and everything behind it.")
@click.option("--only", metavar="TASK", help="Only this task.")
@parameter_option
@json_option
def rerun(
    id: int,  # noqa: A002 - the option's public name
    start: str | None,
    only: str | None,
    parameters: tuple[str, ...],
    *,
    as_json: bool,
) -> None:
    """Run again a run that has ended: all of it, or from one task on, or one task.

    Start parameters that are not given stay as they were.
    """
    options = again.RerunOptions(start=start, only=only, texts=parameters)
    with open_backend() as backend:
        _print_answers(backend, CommandKind.RERUN, [again.rerun(backend, id, options)], as_json=as_json)


@runs.command("force-success", epilog="Example: orchestrator runs force-success 17 load -p rows=42")
@id_argument
@click.argument("task", metavar="TASK")
@click.option(
    "-p",
    "--param",
    "outputs",
    multiple=True,
    metavar="NAME=VALUE",
    help="Output of the task; may be repeated.",
)
@json_option
def force_success(id: int, task: str, outputs: tuple[str, ...], *, as_json: bool) -> None:  # noqa: A002 - the option's public name
    """Declare a failed or killed task of an ended run a success, with outputs if wanted.

    The run stays as it ended; `orchestrator runs recover` then goes on behind the task.
    """
    with open_backend() as backend:
        answers = [again.force_success(backend, id, task, outputs)]
        _print_answers(backend, CommandKind.FORCE_SUCCESS, answers, as_json=as_json)


def _control(kind: CommandKind, ids: Sequence[int], task: str | None = None, *, as_json: bool) -> None:
    with open_backend() as backend:
        if task is None:
            answers = control.control(backend, kind, ids)
        else:
            answers = holding.control_task(backend, kind, ids, task)
        _print_answers(backend, kind, answers, as_json=as_json)


def _print_answers(
    backend: Backend, kind: CommandKind, answers: Sequence[dict[str, Any]], *, as_json: bool
) -> None:
    if as_json:
        print_json(answers)
        return
    for answer in answers:
        said = control.RULES[kind].done if answer["sent"] else f"already {_present(kind, answer)}"
        click.echo(f"run {answer['workflow_instance_id']}: {said} {answer.get('task', '')}".rstrip())
        if kind is CommandKind.PAUSE and answer.get("task_runs"):
            click.echo(f"     {answer['task']} is running: this attempt goes on, only its next one is held")
    if any(answer["sent"] for answer in answers):
        say_why_nothing_happens(backend)


def _present(kind: CommandKind, answer: Mapping[str, Any]) -> str:
    """Return what is so already, for a command that had nothing to do."""
    if kind is CommandKind.FORCE_SUCCESS:
        return "forced"
    if "task" in answer:
        return "paused" if kind is CommandKind.PAUSE else "going on"
    return str(answer["state"])


def _code(documents: Sequence[dict[str, Any]]) -> int:
    if not all(service.is_final(document) for document in documents):
        return WAIT_OVER
    return 0 if all(service.has_succeeded(document) for document in documents) else NOT_SUCCESSFUL


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


def _leave() -> None:
    raise KeyboardInterrupt


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
