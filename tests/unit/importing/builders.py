"""Builders of DolphinScheduler's files, small ones with defaults, and the import of them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from orchestrator.importing.dolphinscheduler import Imported, import_files


def sdk_text(tasks: str = "", **workflow: Any) -> str:
    """Return a file of the SDK: a workflow `flow` with these fields, and the tasks as YAML."""
    return yaml.safe_dump({"workflow": {"name": "flow", **workflow}}) + f"tasks:\n{tasks}"


def import_sdk(folder: Path, text: str, environment: Mapping[str, str] | None = None) -> Imported:
    """Import a file of the SDK with this text."""
    file = folder / "flow.yaml"
    file.write_text(text, encoding="utf-8")
    return import_files([file], environment=environment or {})


def task(code: int, kind: str, name: str = "", **fields: Any) -> dict[str, Any]:
    """Return a task as the UI exports it; what is no field of every task belongs to `taskParams`."""
    common = {key: fields.pop(key) for key in list(fields) if key in _COMMON}
    return {"code": code, "name": name or f"t{code}", "taskType": kind, "taskParams": fields, **common}


def shell(code: int, script: str = "true", **fields: Any) -> dict[str, Any]:
    """Return a shell task."""
    return task(code, "SHELL", rawScript=script, **fields)


def export(
    tasks: Sequence[dict[str, Any]],
    edges: Sequence[tuple[int, int]] = (),
    *,
    code: int = 900,
    schedule: dict[str, Any] | None = None,
    **workflow: Any,
) -> dict[str, Any]:
    """Return one workflow as the UI exports it."""
    return {
        "processDefinition": {"name": "flow", "code": code, **workflow},
        "processTaskRelationList": [{"preTaskCode": a, "postTaskCode": b} for a, b in edges],
        "taskDefinitionList": list(tasks),
        "schedule": schedule,
    }


def import_json(folder: Path, *exports: dict[str, Any], names: Mapping[str, str] | None = None) -> Imported:
    """Import a file that the UI exported."""
    file = folder / "export.json"
    file.write_text(json.dumps(exports), encoding="utf-8")
    return import_files([file], environment={}, workflow_names=names)


def parameter(name: str, value: Any = "", direct: str = "IN", kind: str = "VARCHAR") -> dict[str, Any]:
    """Return a parameter as the UI exports it."""
    return {"prop": name, "direct": direct, "type": kind, "value": value}


def written(found: Imported, index: int = -1) -> dict[str, Any]:
    """Return the last workflow's document; fail with its gaps if there is none."""
    assert not found.gaps, "\n".join(str(gap) for gap in found.gaps)
    document: dict[str, Any] = yaml.safe_load(found.workflows[index].text)
    return document


def tasks_of(found: Imported) -> dict[str, dict[str, Any]]:
    """Return the tasks of the last workflow by name."""
    return {one["name"]: one for one in written(found)["tasks"]}


def gap_of(found: Imported) -> tuple[str | None, str | None, str]:
    """Return task, field and message of the only gap."""
    assert len(found.gaps) == 1, found.gaps
    return found.gaps[0].task, found.gaps[0].field, found.gaps[0].message


def noted(found: Imported) -> set[tuple[str | None, str | None]]:
    """Return task and field of each note."""
    return {(one.task, one.field) for one in found.notes}


_COMMON = frozenset(
    {
        "flag", "taskPriority", "workerGroup", "environmentCode", "failRetryTimes", "failRetryInterval",
        "timeoutFlag", "timeoutNotifyStrategy", "timeout", "delayTime", "taskGroupId", "taskExecuteType",
        "isCache", "cpuQuota",
        "description",
    }
)  # fmt: skip
