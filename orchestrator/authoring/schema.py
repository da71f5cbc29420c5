"""Owns the JSON Schema of the YAML language, for editors: made from the models, so that both say the same."""

from collections.abc import Collection
from typing import Any

from pydantic.json_schema import models_json_schema

from orchestrator.authoring.fields import Strict
from orchestrator.authoring.task_fields import AnyTask
from orchestrator.authoring.tasks import ALIASES, MODELS
from orchestrator.authoring.worker_tasks import AddedTask
from orchestrator.authoring.workflows import Workflow

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(added: Collection[str] = ()) -> dict[str, Any]:
    """Return the JSON Schema of one document of a workflow file.

    Args:
        added: Task types beside those of this package; without them the schema is the same on every machine.
    """
    tasks: list[type[AnyTask]] = [*MODELS.values(), *([AddedTask] if added else [])]
    models: list[type[Strict]] = [Workflow, *tasks]
    references, definitions = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/$defs/{model}"
    )
    parts: dict[str, Any] = definitions["$defs"]
    for model in tasks:
        _allow_aliases(parts[model.__name__])
    if added:
        parts[AddedTask.__name__]["properties"]["type"]["enum"] = sorted(added)
    return {
        "$schema": _DIALECT,
        "title": "Orchestrator workflow",
        "type": "object",
        "additionalProperties": False,
        "required": ["workflow", "tasks"],
        "properties": {
            "workflow": references[Workflow, "validation"],
            "tasks": {
                "type": "array",
                "minItems": 1,
                "items": {"oneOf": [references[model, "validation"] for model in tasks]},
            },
        },
        "$defs": parts,
    }


def _allow_aliases(model: dict[str, Any]) -> None:
    """Let the names of other programs stand for ours: `command` for `run`, and so on."""
    properties, required = model["properties"], list(model.get("required", ()))
    model["allOf"] = []
    for alias, name in ALIASES.items():
        if name in properties:
            properties[alias] = properties[name]
        if name in required:
            required.remove(name)
            model["allOf"].append({"oneOf": [{"required": [name]}, {"required": [alias]}]})
    model["required"] = required
