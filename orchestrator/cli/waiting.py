"""Owns the command `runs wait`: until runs have ended, and how."""

import time
from collections.abc import Sequence
from typing import Any

import rich_click as click

from orchestrator.cli.exit_codes import NOT_SUCCESSFUL, WAIT_OVER
from orchestrator.cli.options import ids_argument, json_option
from orchestrator.cli.output import print_json
from orchestrator.cli.records import open_records, pause
from orchestrator.service import runs as service


@click.command(epilog="Example: orchestrator runs wait 17 18 --timeout 600")
@ids_argument
@click.option("--timeout", type=click.FloatRange(min=0), metavar="S", help="Seconds; exit code 4 when over.")
@json_option
@click.pass_context
def wait(ctx: click.Context, ids: tuple[int, ...], timeout: float | None, *, as_json: bool) -> None:
    """Wait until runs have ended: 0 if all ended SUCCESS, else 1. PAUSED is not an end."""
    with open_records() as records:
        documents = service.wait(records, ids, timeout, service.Clockwork(clock=time.monotonic, pause=pause))
    if as_json:
        print_json(documents[0] if len(documents) == 1 else documents)
    else:
        for document in documents:
            click.echo(f"run {document['id']}: {document['state']}")
    ctx.exit(code_of(documents))


def code_of(documents: Sequence[dict[str, Any]]) -> int:
    """Return the exit code that says how these runs ended."""
    if not all(service.is_final(document) for document in documents):
        return WAIT_OVER
    return 0 if all(service.has_succeeded(document) for document in documents) else NOT_SUCCESSFUL
