"""Owns the command `import`: workflows of other systems become files of ours."""

import os
from pathlib import Path
from typing import Any

import rich_click as click

from orchestrator.cli.exit_codes import MISTAKE
from orchestrator.cli.options import files_argument, json_option
from orchestrator.cli.output import print_json, print_message
from orchestrator.importing.dolphinscheduler import Imported, import_files
from orchestrator.importing.findings import Finding
from orchestrator.importing.writing import write_all
from orchestrator.service.wording import counted


@click.group("import", epilog="Example: orchestrator import dolphinscheduler export.json --output flows")
def import_() -> None:
    """Bring in the workflows of another system."""


@import_.command(epilog="Example: orchestrator import dolphinscheduler export.json --output flows")
@files_argument
@click.option(
    "-o", "--output", metavar="DIR",
    help="Where to write one file per workflow, NAME.yaml; - prints them. Default: here, with --json -.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Replace files that exist.")
@click.option(
    "--workflow", "workflows", multiple=True, metavar="CODE=NAME",
    help="Name of a workflow that FILEs refer to by code and do not hold; may be repeated.",
)  # fmt: skip
@json_option
def dolphinscheduler(
    files: tuple[Path, ...], output: str | None, workflows: tuple[str, ...], **flags: bool
) -> int:
    """Convert DolphinScheduler's FILEs: YAML of its Python SDK, or JSON that its UI exported.

    What cannot be converted stops the import with its place, and nothing is written. What has no equivalent and
    can be left out is listed. With --json the document is the output: it has the workflows' text, and files are
    written only where --output says. `$ENV{NAME}` takes its value from the environment of this command.
    """
    found = import_files(files, environment=dict(os.environ), workflow_names=dict(map(_pair, workflows)))
    output = output or ("-" if flags["as_json"] else ".")
    targets = {one.name: Path(output) / f"{one.name}.yaml" for one in found.workflows}
    is_printed = output == "-"
    if not (found.gaps or is_printed):
        texts = {targets[one.name]: one.text for one in found.workflows}
        write_all(texts, force=flags["force"], sources=files)
    if flags["as_json"]:
        print_json(_document(found, {} if is_printed or found.gaps else targets, with_text=is_printed))
    elif is_printed and not found.gaps:
        click.echo("---\n".join(one.text for one in found.workflows), nl=False)
    _tell(found, targets, is_written=not (found.gaps or is_printed), as_json=flags["as_json"])
    return MISTAKE if found.gaps else 0


def _pair(text: str) -> tuple[str, str]:
    code, equals, name = text.partition("=")
    if not (equals and code and name):
        raise click.BadParameter(f"'{text}' must be CODE=NAME", param_hint="--workflow")
    return code, name


def _tell(found: Imported, targets: dict[str, Path], *, is_written: bool, as_json: bool) -> None:
    for note in () if as_json else found.notes:
        print_message(f"note: {note}")
    for gap in found.gaps:
        print_message(f"error: {gap}")
    if found.gaps:
        print_message(f"nothing was written: {len(found.gaps)} cannot be converted")
    elif is_written and not as_json:
        for one in found.workflows:
            click.echo(f"{one.source}: {one.name}, {counted(one.tasks, 'task')} -> {targets[one.name]}")


def _document(found: Imported, targets: dict[str, Path], *, with_text: bool) -> dict[str, Any]:
    return {
        "workflows": [
            {
                "name": one.name,
                "source": one.source,
                "tasks": one.tasks,
                "file": str(targets[one.name]) if one.name in targets else None,
                **({"text": one.text} if with_text else {}),
            }
            for one in found.workflows
        ],
        "notes": [_finding(one) for one in found.notes],
        "gaps": [_finding(one) for one in found.gaps],
    }


def _finding(fault: Finding) -> dict[str, Any]:
    return {name: getattr(fault, name) for name in ("file", "line", "workflow", "task", "field", "message")}
