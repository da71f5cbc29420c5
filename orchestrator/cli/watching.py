"""Owns the command `runs watch`: one run on the terminal until it ends."""

import time

import rich_click as click

from orchestrator.cli.follow import Interruptions, Watch, follow, last_line_reader
from orchestrator.cli.live import make_view, print_summary
from orchestrator.cli.options import id_argument
from orchestrator.cli.records import pause
from orchestrator.cli.session import open_backend, say_why_nothing_happens
from orchestrator.cli.settings import open_settings
from orchestrator.cli.waiting import code_of
from orchestrator.service import runs as service


@click.command(epilog="Example: orchestrator runs watch 17")
@id_argument
@click.pass_context
def watch(ctx: click.Context, id: int) -> None:  # noqa: A002 - the option's public name
    """Watch a run until it ends; Ctrl-C ends the watching, not the run."""
    settings = open_settings()
    with open_backend(settings) as backend:
        if not service.look(backend, id)[1]:
            say_why_nothing_happens(backend)
        view = make_view(last_line_reader(settings.logs, id), silent=False)
        with Interruptions() as interruptions:
            how = Watch(pause=pause, clock=time.monotonic, on_interrupt=_leave, interruptions=interruptions)
            document, _ = follow(backend, id, view, how)
    print_summary(document)
    ctx.exit(code_of([document]))


def _leave() -> None:
    raise KeyboardInterrupt
