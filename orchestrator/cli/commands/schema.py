"""Owns the command `schema`: the JSON Schema of the YAML files."""

import rich_click as click

from orchestrator.authoring.schema import json_schema
from orchestrator.authoring.tasks import added_types
from orchestrator.cli.output import print_json


@click.command(epilog="Example: orchestrator schema > workflow.schema.json")
def schema() -> None:
    """Print the JSON Schema of the YAML files, for editors: with the task types of the packages installed here."""
    print_json(json_schema(added_types()))
