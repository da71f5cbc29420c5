"""Owns the command `validate`: every fault of the files, at once."""

from pathlib import Path
from typing import Any

import rich_click as click

from orchestrator.cli.options import files_argument, json_option
from orchestrator.cli.output import print_json, print_message
from orchestrator.core.definition import WorkflowDefinition
from orchestrator.errors import DefinitionError
from orchestrator.service import files as service


@click.command(epilog="Example: orchestrator validate examples/*.yaml")
@files_argument
@click.option("--runnable", is_flag=True, help="End 2, too, if this version cannot run what is valid.")
@json_option
def validate(files: tuple[Path, ...], *, runnable: bool, as_json: bool) -> None:
    """Check FILEs; every fault is named with file and line, and the exit code is 2.

    A file may be valid and yet ask for what this version cannot run: `deploy`, `submit` and `run` refuse it.
    That is said in a note, and the exit code is 0; with --runnable it is a fault.
    """
    found = service.look_into(files)
    if runnable and found.later:
        raise DefinitionError(found.later)
    if as_json:
        print_json([_document(one) for one in found.definitions])
        return
    for one in found.definitions:
        verdict = "no fault" if service.is_runnable(one) else "valid, but not yet runnable here"
        click.echo(f"{one.name}: {len(one.tasks)} tasks, {verdict}")
    for fault in found.later:
        print_message(f"note: {fault}")


def _document(definition: WorkflowDefinition) -> dict[str, Any]:
    runnable = service.is_runnable(definition)
    return {"name": definition.name, "tasks": len(definition.tasks), "runnable": runnable}
