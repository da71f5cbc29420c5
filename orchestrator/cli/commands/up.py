"""Owns the command `up`: everything on this machine, in the foreground."""

import rich_click as click

from orchestrator.cli.options import json_option
from orchestrator.cli.output import print_json, print_message
from orchestrator.cli.set_up import ALREADY_SUPERVISED, Foreground, supervise_home
from orchestrator.config import load_settings
from orchestrator.embedded.status import Status
from orchestrator.errors import Conflict
from orchestrator.logging import configure
from orchestrator.service.signs import check_services


@click.command(epilog="Example: orchestrator up --workers 2")
@click.option(
    "--workers", type=click.IntRange(1, 64), default=1, help="Worker processes; each runs several tasks."
)
@click.option(
    "--concurrency", type=click.IntRange(1, 1024), help="Tasks that one worker runs at the same time."
)
@click.option("--postgres", is_flag=True, help="Use a private PostgreSQL instead of SQLite.")
@json_option
@click.pass_context
def up(ctx: click.Context, workers: int, concurrency: int | None, *, postgres: bool, as_json: bool) -> None:
    """Run Redis, database, master and workers on this machine, until Ctrl-C.

    What the settings name (ORCHESTRATOR_DATABASE_URL, ORCHESTRATOR_REDIS_URL) is used, the rest is started.
    `orchestrator run`, `submit` and `runs` of the same home use what runs here.
    """
    settings = load_settings()
    configure(settings.log_level, settings.log_format)
    check_services(settings)  # master and workers would only wait for them, saying so for ever
    announcer = _Announcer(as_json=as_json)
    foreground = Foreground(
        workers=workers, concurrency=concurrency, postgres=postgres, announce=announcer.announce
    )
    code = supervise_home(settings, foreground)
    if code == ALREADY_SUPERVISED:
        raise Conflict(
            f"the set-up of {settings.home} is running already; stop it first, or use another home"
        )
    ctx.exit(code)


class _Announcer:
    """Tells the user, once, that everything accepts work; or why it does not."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._was_ready = False

    def announce(self, status: Status) -> None:
        if status.error:
            print_message(f"error: {status.error}")
        elif status.ready and not self._was_ready:
            self._was_ready = True
            self._say_ready(status)

    def _say_ready(self, status: Status) -> None:
        if self._as_json:
            urls = {"database_url": status.database_url, "redis_url": status.redis_url, "api_url": None}
            print_json({"ready": True, **urls, "pids": dict(status.pids)})
        else:
            print_message(f"ready: {status.database_url}; Ctrl-C ends everything")
