"""Owns the command `validate`: every fault of the files, at once."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import rich_click as click

from orchestrator.cli.options import files_argument, json_option
from orchestrator.cli.output import print_json, print_message
from orchestrator.core.definition import WorkflowDefinition
from orchestrator.errors import DefinitionError
from orchestrator.service import files as service

FAULTY = 2


@click.command(epilog="Example: orchestrator validate examples/*.yaml")
@files_argument
@click.option("--runnable", is_flag=True, help="End 2, too, if this version cannot run what is valid.")
@json_option
@click.pass_context
def validate(ctx: click.Context, files: tuple[Path, ...], *, runnable: bool, as_json: bool) -> None:
    """Check FILEs; every fault is named with file and line, and the exit code is 2.

    A file may be valid and yet ask for what this version cannot run: `deploy`, `submit` and `run` refuse it.
    That is said in a note, and the exit code is 0; with --runnable it is a fault. With --json the document is a
    list of the workflows, or, where there are faults, `{"faults": [{file, line, task, field, message}, …]}`.
    """
    try:
        found = service.look_into(files, runnable=runnable)
    except DefinitionError as error:
        if not as_json:
            raise
        print_json({"faults": [asdict(fault) for fault in error.faults]})
        ctx.exit(FAULTY)
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
