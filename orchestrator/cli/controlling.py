"""Owns the commands that let runs pause, go on, stop, or begin again."""

from collections.abc import Mapping, Sequence
from typing import Any

import rich_click as click

from orchestrator.cli.options import id_argument, ids_argument, json_option, parameter_option, task_option
from orchestrator.cli.output import print_json
from orchestrator.cli.session import open_backend, say_why_nothing_happens
from orchestrator.core.command import CommandKind
from orchestrator.service import again, control, holding
from orchestrator.service.backend import Backend
from orchestrator.service.parameters import read_pairs
from orchestrator.service.signals import send_signal


@click.command("pause", epilog="Example: orchestrator runs pause 17")
@ids_argument
@task_option
@json_option
def pause_runs(ids: tuple[int, ...], task: str | None, *, as_json: bool) -> None:
    """Let nothing new start; what runs ends, what waits is held. Or only one task: held when it is ready."""
    _control(CommandKind.PAUSE, ids, task, as_json=as_json)


@click.command(epilog="Example: orchestrator runs resume 17")
@ids_argument
@task_option
@json_option
def resume(ids: tuple[int, ...], task: str | None, *, as_json: bool) -> None:
    """Go on with paused runs, or with one task that was paused by name: its run alone does not resume it."""
    _control(CommandKind.RESUME, ids, task, as_json=as_json)


@click.command(epilog="Example: orchestrator runs stop 17")
@ids_argument
@json_option
def stop(ids: tuple[int, ...], *, as_json: bool) -> None:
    """Kill running tasks (TERM, 5 s, KILL) and start nothing more."""
    _control(CommandKind.STOP, ids, as_json=as_json)


@click.command(epilog="Example: orchestrator runs signal 17 approve -p by=Ada")
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


@click.command(epilog="Example: orchestrator runs recover 17")
@ids_argument
@json_option
def recover(ids: tuple[int, ...], *, as_json: bool) -> None:
    """Run again what failed, was killed or was not run, and everything behind it; the rest stays.

    For runs that have ended FAILURE or STOPPED. New attempts have their whole number of retries.
    """
    _control(CommandKind.RECOVER, ids, as_json=as_json)


@click.command(epilog="Example: orchestrator runs rerun 17 --from load -p day=2026-11-01")
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


@click.command("force-success", epilog="Example: orchestrator runs force-success 17 load -p rows=42")
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
