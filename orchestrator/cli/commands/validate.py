"""Owns the command `validate`: every fault of the files, at once."""

from pathlib import Path

import rich_click as click

from orchestrator.cli.options import files_argument, json_option
from orchestrator.cli.output import print_json, print_message
from orchestrator.service import files as service


@click.command(epilog="Example: orchestrator validate examples/*.yaml")
@files_argument
@json_option
def validate(files: tuple[Path, ...], *, as_json: bool) -> None:
    """Check FILEs; every fault is named with file and line, and the exit code is 2."""
    found = service.read_files(files)
    later = [fault for one in found for fault in service.faults_of_later(one)]
    if as_json:
        print_json([{"name": one.name, "tasks": len(one.tasks)} for one in found])
        return
    for definition in found:
        click.echo(f"{definition.name}: {len(definition.tasks)} tasks, no fault")
    for fault in later:
        print_message(f"note: {fault}")
