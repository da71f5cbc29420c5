"""Owns the commands `events …`: events that nobody could use, and runs whose events fail."""

import rich_click as click

from orchestrator.cli.options import id_argument, json_option
from orchestrator.cli.output import print_json, print_rows
from orchestrator.cli.session import open_backend
from orchestrator.service import events as service

DEAD_COLUMNS = ("id", "reason", "type", "workflow_instance_id", "task", "attempt", "received_at")
PARKED_COLUMNS = ("workflow_instance_id", "tries", "since_s", "error", "master")

dead_ids_argument = click.argument("ids", nargs=-1, required=True, metavar="ID...")


@click.group(epilog="Example: orchestrator events dead list")
def events() -> None:
    """Look after events that could not be handled."""


@events.group(epilog="Example: orchestrator events dead list")
def dead() -> None:
    """Dead letters: events that cannot be decoded, are forged, or were buried."""


@dead.command("list", epilog="Example: orchestrator events dead list --json")
@json_option
def list_dead(*, as_json: bool) -> None:
    """List the dead letters with their reasons."""
    with open_backend() as backend:
        rows = service.list_dead(backend)
    print_rows(rows, DEAD_COLUMNS, as_json=as_json, empty="no dead letter")


@dead.command("show", epilog="Example: orchestrator events dead show 1730419200000-0")
@click.argument("id")
def show_dead(id: str) -> None:  # noqa: A002 - the argument's public name
    """Print one dead letter, payload included, as JSON."""
    with open_backend() as backend:
        print_json(service.show_dead(backend, id))


@dead.command(epilog="Example: orchestrator events dead replay 1730419200000-0")
@dead_ids_argument
@json_option
def replay(ids: tuple[str, ...], *, as_json: bool) -> None:
    """Put dead letters back into their streams: masters handle them like new."""
    with open_backend() as backend:
        count = service.replay_dead(backend, ids)
    _answer({"replayed": count}, f"{count} replayed", as_json=as_json)


@dead.command(epilog="Example: orchestrator events dead purge --yes")
@click.confirmation_option("--yes", prompt="This deletes all dead letters. Go on?")
@json_option
def purge(*, as_json: bool) -> None:
    """Delete all dead letters."""
    with open_backend() as backend:
        count = service.purge_dead(backend)
    _answer({"purged": count}, f"{count} purged", as_json=as_json)


@events.group(epilog="Example: orchestrator events parked list")
def parked() -> None:
    """Parked runs: an event of theirs fails again and again; the others go on."""


@parked.command("list", epilog="Example: orchestrator events parked list --json")
@json_option
def list_parked(*, as_json: bool) -> None:
    """List the parked runs with their errors."""
    with open_backend() as backend:
        rows = service.list_parked(backend)
    print_rows(rows, PARKED_COLUMNS, as_json=as_json, empty="no run is parked")


@parked.command(epilog="Example: orchestrator events parked retry 17")
@id_argument
@json_option
def retry(id: int, *, as_json: bool) -> None:  # noqa: A002 - the argument's public name
    """Try a parked run's events again now."""
    with open_backend() as backend:
        service.ask_about_parked(backend, "retry", id)
    _answer({"workflow_instance_id": id, "asked": "retry"}, f"run {id}: tried again now", as_json=as_json)


@parked.command(epilog="Example: orchestrator events parked bury 17")
@id_argument
@json_option
def bury(id: int, *, as_json: bool) -> None:  # noqa: A002 - the argument's public name
    """Give up the event or command that fails, and let the run go on without it.

    An event goes to the dead letters; a command is refused, and whoever waits for it hears so.
    """
    with open_backend() as backend:
        service.ask_about_parked(backend, "bury", id)
    _answer(
        {"workflow_instance_id": id, "asked": "bury"}, f"run {id}: asked to bury what fails", as_json=as_json
    )


def _answer(document: dict[str, object], text: str, *, as_json: bool) -> None:
    if as_json:
        print_json(document)
    else:
        click.echo(text)
