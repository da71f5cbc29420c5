"""Owns the command `doctor`: what is wrong with this installation, each with its remedy."""

import rich_click as click

from orchestrator.cli.exit_codes import UNREACHABLE
from orchestrator.cli.options import json_option
from orchestrator.cli.output import print_json
from orchestrator.cli.settings import open_settings
from orchestrator.service import diagnosis
from orchestrator.service.findings import Finding

WORDS = {"ok": ("ok", "green"), "warning": ("warning", "yellow"), "error": ("ERROR", "red")}


@click.command(epilog="Example: orchestrator doctor --json")
@json_option
@click.pass_context
def doctor(ctx: click.Context, *, as_json: bool) -> None:
    """Check database, schema, clock, Redis, broker, masters, workers and stuck work; name each remedy.

    Ends 0 if nothing is wrong (warnings allowed), 3 if a service is unreachable, else 2.
    """
    findings = diagnosis.diagnose(open_settings())
    if as_json:
        print_json([finding.to_document() for finding in findings])
    else:
        for finding in findings:
            _print(finding)
    ctx.exit(_code(findings))


def _print(finding: Finding) -> None:
    word, colour = WORDS[finding.level]
    click.echo(f"{click.style(word.ljust(8), fg=colour)} {finding.check}: {finding.message}")
    if finding.remedy:
        click.echo(f"{'':8} -> {finding.remedy}")


def _code(findings: list[Finding]) -> int:
    if any(finding.unreachable for finding in findings):
        return UNREACHABLE
    return 2 if any(finding.level == "error" for finding in findings) else 0
