"""Owns the command `validate`: every fault of the files, at once."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import rich_click as click

from orchestrator.cli.options import files_argument, json_option
from orchestrator.cli.output import print_json
from orchestrator.errors import DefinitionError, Fault
from orchestrator.service import files as service
from orchestrator.service.wording import counted

FAULTY = 2


@click.command(epilog="Example: orchestrator validate examples/*.yaml")
@files_argument
@click.option("--runnable", is_flag=True, help="End 2, too, if these settings lack a target of alerts.")
@json_option
@click.pass_context
def validate(ctx: click.Context, files: tuple[Path, ...], *, runnable: bool, as_json: bool) -> None:
    """Check FILEs; every fault is named with file and line, and the exit code is 2.

    With --runnable what `deploy`, `submit` and `run` ask of this machine's settings is asked, too. With --json the
    document is a list of the workflows, or, where there are faults, `{"faults": [{file, line, task, field,
    message}, …]}`.
    """
    try:
        found = service.read_runnable(files) if runnable else service.read_files(files)
    except DefinitionError as error:
        if not as_json:
            raise
        print_json({"faults": [_document(fault) for fault in error.faults]})
        ctx.exit(FAULTY)
    if as_json:
        print_json([{"name": one.name, "tasks": len(one.tasks)} for one in found])
        return
    for one in found:
        click.echo(f"{one.name}: {counted(len(one.tasks), 'task')}, no fault")


def _document(fault: Fault) -> dict[str, Any]:
    return {name: value for name, value in asdict(fault).items() if name != "workflow"}
