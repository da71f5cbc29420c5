"""Owns the JSON Schema of the YAML language, for editors: made from the models, so that both say the same."""

from typing import Any

from pydantic.json_schema import models_json_schema

from orchestrator.authoring.fields import Strict
from orchestrator.authoring.tasks import ALIASES, MODELS
from orchestrator.authoring.workflows import Workflow

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of one document of a workflow file."""
    models: list[type[Strict]] = [Workflow, *MODELS.values()]
    references, definitions = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/$defs/{model}"
    )
    parts: dict[str, Any] = definitions["$defs"]
    for model in MODELS.values():
        _allow_aliases(parts[model.__name__])
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
                "items": {"oneOf": [references[model, "validation"] for model in MODELS.values()]},
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
