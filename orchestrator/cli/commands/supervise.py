"""Owns the hidden command `supervise`: the supervisor that a `run` starts and that ends with the last of them."""

import rich_click as click

from orchestrator.cli.set_up import ALREADY_SUPERVISED, supervise_home
from orchestrator.config import load_settings
from orchestrator.embedded.home import Home
from orchestrator.embedded.launch import wait_for_go, write_to_log
from orchestrator.logging import configure


@click.command(hidden=True, epilog="Example: orchestrator supervise <<< go")
@click.pass_context
def supervise(ctx: click.Context) -> None:
    """Run the set-up of $ORCHESTRATOR_HOME as long as a `run` needs it; `run` starts this by itself."""
    if not wait_for_go():
        return
    settings = load_settings()
    write_to_log(Home(path=settings.home))
    configure(settings.log_level, settings.log_format)
    code = supervise_home(settings)
    ctx.exit(0 if code == ALREADY_SUPERVISED else code)
