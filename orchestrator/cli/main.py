"""Owns the `orchestrator` program: its catalogue of commands, and what exit code and message an error becomes."""

import sys
from importlib import metadata

import rich_click as click

from orchestrator.cli.exit_codes import BUG, INTERRUPTED, MISTAKE, UNREACHABLE
from orchestrator.cli.lazy import Entry, LazyGroup
from orchestrator.errors import OrchestratorError, RetryEvent, UserError

COMMANDS = "orchestrator.cli.commands"
CATALOGUE = {
    "run": Entry(target=f"{COMMANDS}.run:run", summary="Run one workflow to its end, with live progress."),
    "up": Entry(target=f"{COMMANDS}.up:up", summary="Run everything on this machine, until Ctrl-C."),
    "validate": Entry(target=f"{COMMANDS}.validate:validate", summary="Check files; name every fault."),
    "schema": Entry(target=f"{COMMANDS}.schema:schema", summary="Print the JSON Schema of the YAML files."),
    "deploy": Entry(target=f"{COMMANDS}.deploy:deploy", summary="Store the workflows of files."),
    "definitions": Entry(target=f"{COMMANDS}.definitions:definitions", summary="Look at stored workflows."),
    "submit": Entry(target=f"{COMMANDS}.submit:submit", summary="Start a workflow and return at once."),
    "runs": Entry(target=f"{COMMANDS}.runs:runs", summary="Look at runs, wait for them, control them."),
    "backfill": Entry(
        target=f"{COMMANDS}.backfill:backfill", summary="Run a workflow for each planned time of a range."
    ),
    "schedules": Entry(
        target=f"{COMMANDS}.schedules:schedules", summary="When workflows run by themselves; pause that."
    ),
    "environments": Entry(
        target=f"{COMMANDS}.environments:environments", summary="Named sets of variables for tasks."
    ),
    "pools": Entry(target=f"{COMMANDS}.pools:pools", summary="Slots that tasks share, over all masters."),
    "cache": Entry(target=f"{COMMANDS}.cache:cache", summary="Forget the results that tasks have kept."),
    "workers": Entry(target=f"{COMMANDS}.workers:workers", summary="List workers, drain them."),
    "masters": Entry(target=f"{COMMANDS}.masters:masters", summary="List masters."),
    "events": Entry(
        target=f"{COMMANDS}.events:events", summary="Look after events that could not be handled."
    ),
    "import": Entry(
        target=f"{COMMANDS}.import_:import_", summary="Bring in the workflows of DolphinScheduler."
    ),
    "doctor": Entry(target=f"{COMMANDS}.doctor:doctor", summary="Check everything; name each remedy."),
    "config": Entry(target=f"{COMMANDS}.config:config", summary="Print the effective settings."),
    "db": Entry(
        target=f"{COMMANDS}.database:database",
        summary="Bring the database's schema up to date; delete old runs.",
    ),
    "master": Entry(target=f"{COMMANDS}.master:master", summary="Run one master."),
    "worker": Entry(target=f"{COMMANDS}.worker:worker", summary="Run one Celery worker."),
    "supervise": Entry(target=f"{COMMANDS}.supervise:supervise", summary="Run a home's set-up.", hidden=True),
}


@click.group(
    cls=LazyGroup,
    entries=CATALOGUE,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: orchestrator run examples/hello.yaml",
)
@click.version_option(package_name="orchestrator")
def cli() -> None:
    """Durable workflows on Celery."""


def main(arguments: list[str] | None = None) -> None:
    """Run the program and end it with the exit code of the command line's contract.

    Args:
        arguments: Read instead of the command line's.
    """
    sys.exit(exit_code(arguments))


def exit_code(arguments: list[str] | None = None, program: click.Command = cli) -> int:
    """Run the program; say on standard error what went wrong, and return the exit code."""
    try:
        result = program.main(args=arguments, prog_name="orchestrator", standalone_mode=False)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except click.ClickException as error:
        return _refuse(error)
    except OrchestratorError as error:
        click.echo(f"error: {error}", err=True)
        return code_of(error)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read the output has gone; the interpreter must not complain about it
        return 0
    except Exception as error:  # noqa: BLE001 - a bug: one line with a way to learn more, never a traceback
        click.echo(_confession(error), err=True)
        return BUG
    return result if isinstance(result, int) else 0


def code_of(error: OrchestratorError) -> int:
    """Return the exit code for an error of this project."""
    if isinstance(error, UserError):
        return MISTAKE
    return UNREACHABLE if isinstance(error, RetryEvent) else BUG


def _refuse(error: click.ClickException) -> int:
    click.echo(f"error: {error.format_message()}", err=True)
    context = getattr(error, "ctx", None)
    if isinstance(context, click.Context):
        click.echo(f"try '{context.command_path} --help'", err=True)
    return error.exit_code


def _confession(error: Exception) -> str:
    version = metadata.version("orchestrator")
    return (
        f"error: this is a fault of orchestrator {version}, please report it: {type(error).__name__}: {error}"
    )
