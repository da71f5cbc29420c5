"""Owns the command `worker`: one Celery worker with the settings of this project."""

import os
import sys

import rich_click as click

from orchestrator.authoring.names import workflow_name
from orchestrator.cli.settings import open_settings
from orchestrator.core.worker_name import check_worker_name
from orchestrator.embedded.crew import DEFAULT_GROUP, worker_module
from orchestrator.errors import UserError


@click.command(epilog="Example: orchestrator worker --group gpu --concurrency 2")
@click.option(
    "--group", "groups", multiple=True, help="Worker group to serve; may be repeated. Default: default."
)
@click.option(
    "--concurrency", type=click.IntRange(1, 1024), help="Tasks at the same time; default: one per core."
)
@click.option("--name", default="worker", help="Name of the worker; the host's is added. Default: worker.")
def worker(groups: tuple[str, ...], concurrency: int | None, name: str) -> None:
    """Run one Celery worker; the same as `celery -A orchestrator worker -Q GROUP`."""
    check_worker_name(name)
    for group in groups:
        _check_group(group)
    settings = open_settings()
    if settings.redis_url is None:
        raise UserError("no Redis: name one in ORCHESTRATOR_REDIS_URL, or start `orchestrator up` first")
    module = worker_module(list(groups or (DEFAULT_GROUP,)), name, concurrency, settings.log_level)
    os.execv(sys.executable, [sys.executable, "-m", *module])  # noqa: S606 - its arguments are ours


def _check_group(name: str) -> None:
    try:
        workflow_name(name)
    except ValueError as error:
        raise click.BadParameter(
            f"'{name}' cannot be a worker group: {error}", param_hint="--group"
        ) from None
