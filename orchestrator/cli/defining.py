"""Owns the commands about one stored workflow: looking at it, letting it be submitted or not, deleting it."""

import rich_click as click

from orchestrator.cli.options import json_option
from orchestrator.cli.output import print_json
from orchestrator.cli.session import open_backend
from orchestrator.service import definitions as service
from orchestrator.service.files import draw
from orchestrator.service.finding import find

name_argument = click.argument("name")


@click.command(epilog="Example: orchestrator definitions show nightly --graph")
@name_argument
@click.option("--version", type=click.IntRange(min=1), help="An earlier version.")
@click.option("--graph", is_flag=True, help="Each task with what it needs.")
@json_option
def show(name: str, version: int | None, *, graph: bool, as_json: bool) -> None:
    """Show one version of a workflow, the latest by default."""
    with open_backend() as backend:
        document = service.show(backend, name, version)
        lines = draw(find(backend, name, version).definition) if graph else []
    if as_json:
        print_json(document)
        return
    state = "online" if document["online"] else "offline"
    click.echo(f"{document['name']} version {document['version']}, {state}")
    if document["description"]:
        click.echo(document["description"])
    for line in lines or [f"  {task['name']} ({task['type']})" for task in document["definition"]["tasks"]]:
        click.echo(line)


@click.command(epilog="Example: orchestrator definitions online nightly")
@name_argument
@json_option
def online(name: str, *, as_json: bool) -> None:
    """Let a workflow be submitted; its schedules fire."""
    _set_online(name, online=True, as_json=as_json)


@click.command(epilog="Example: orchestrator definitions offline nightly")
@name_argument
@json_option
def offline(name: str, *, as_json: bool) -> None:
    """Let a workflow be submitted no more; its runs go on, its schedules rest."""
    _set_online(name, online=False, as_json=as_json)


@click.command(epilog="Example: orchestrator definitions delete nightly")
@name_argument
@json_option
def delete(name: str, *, as_json: bool) -> None:
    """Delete a workflow that is offline and was never run, with all its versions and schedules."""
    with open_backend() as backend:
        document = service.delete(backend, name)
    if as_json:
        print_json(document)
    else:
        click.echo(f"{name} is deleted")


def _set_online(name: str, *, online: bool, as_json: bool) -> None:
    with open_backend() as backend:
        document = service.set_online(backend, name, online=online)
    if as_json:
        print_json(document)
    else:
        click.echo(f"{name} is {'online' if online else 'offline'}")
