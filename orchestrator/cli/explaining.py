"""Owns the command `runs explain`: one sentence per cause, with its remedy."""

from collections.abc import Sequence

import rich_click as click

from orchestrator.cli.exit_codes import UNREACHABLE
from orchestrator.cli.options import id_argument, json_option
from orchestrator.cli.output import local_time, print_json
from orchestrator.cli.session import open_backend
from orchestrator.service.explaining.causes import SERVICES, Cause
from orchestrator.service.explanation import explain as explain_run


@click.command(epilog="Example: orchestrator runs explain 17 load")
@id_argument
@click.argument("task", metavar="[TASK]", required=False)
@json_option
@click.pass_context
def explain(ctx: click.Context, id: int, task: str | None, *, as_json: bool) -> None:  # noqa: A002 - the option's public name
    """Say why a run, or one of its tasks, does not run: one sentence per cause, the most decisive first.

    What it waits for and since when, and the command that helps, where there is one. Ends 3 if the database
    or Redis does not answer.
    """
    with open_backend() as backend:
        causes = explain_run(backend, id, task)
    if as_json:
        print_json([cause.to_document() for cause in causes])
    else:
        for cause, is_new in zip(causes, _new_remedies(causes), strict=True):
            _print(cause, f"run {id}", with_remedy=is_new)
    ctx.exit(UNREACHABLE if any(cause.kind in SERVICES for cause in causes) else 0)


def _new_remedies(causes: Sequence[Cause]) -> list[bool]:
    """Return for each cause whether its remedy was not printed before: once is enough for a run that failed."""
    remedies = [cause.remedy for cause in causes]
    return [bool(remedy) and remedies.index(remedy) == place for place, remedy in enumerate(remedies)]


def _print(cause: Cause, whole: str, *, with_remedy: bool) -> None:
    since = f" (since {local_time(cause.since)})" if cause.since else ""
    click.echo(f"{cause.task or whole}: {cause.sentence(local_time)}{since}")
    if with_remedy:
        click.echo(f"{'':4} -> {cause.remedy}")
