"""Owns the command `deploy`: the workflows of files go into the database."""

from pathlib import Path

import rich_click as click

from orchestrator.cli.options import files_argument, json_option
from orchestrator.cli.output import print_json, print_message
from orchestrator.cli.session import open_backend
from orchestrator.service import definitions
from orchestrator.service import files as service


@click.command(epilog="Example: orchestrator deploy flows/nightly.yaml")
@files_argument
@click.option("--offline", is_flag=True, help="Store only: nobody can submit it yet.")
@json_option
def deploy(files: tuple[Path, ...], *, offline: bool, as_json: bool) -> None:
    """Store the workflows of FILEs; one that has changed gets a new version."""
    found = service.read_files(files) if offline else service.read_runnable(files)
    with open_backend() as backend:
        deployed = definitions.deploy(backend, found, online=not offline, files=files)
    if as_json:
        print_json(deployed)
        return
    for one in deployed:
        news = "" if one["created"] else ", unchanged"
        click.echo(f"{one['name']}: version {one['version']}{news}{'' if one['online'] else ', offline'}")
        for warning in one["warnings"]:
            print_message(f"warning: {warning}")
    for line in service.needed_on_workers(found):
        print_message(line)
