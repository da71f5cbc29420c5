"""Owns a DolphinScheduler workflow as a value, the same for both of its formats."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.importing.fields import Fields
from orchestrator.importing.findings import Reporter


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """A parameter as DolphinScheduler declares it.

    Attributes:
        direction: `IN` or `OUT`.
        kind: `VARCHAR`, `INTEGER`, `LIST`, …
        value: Text, or what the YAML of the SDK holds.
    """

    name: str
    direction: str = "IN"
    kind: str = "VARCHAR"
    value: Any = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTask:
    """One task.

    Attributes:
        kind: The type in the words of the UI's export: `SHELL`, `SUB_PROCESS`, …
        code: The number by which others refer to it, as text; empty in the SDK's YAML.
        needs: Upstream tasks, by name or code.
        delay_min: Minutes.
        retry_interval_min: Minutes.
        timeout_min: Minutes; 0: none.
        timeout_strategy: `WARN`, `FAILED`, `WARNFAILED`, or nothing.
        params: Its local parameters.
        fields: What belongs to the type, in the words of the UI's export.
    """

    name: str
    kind: str
    report: Reporter
    fields: Fields
    code: str = ""
    description: str = ""
    needs: tuple[str, ...] = ()
    disabled: bool = False
    priority: str = ""
    worker_group: str = ""
    environment: str = ""
    pool: str = ""
    cache: bool = False
    delay_min: int = 0
    retries: int = 0
    retry_interval_min: int = 0
    timeout_min: int = 0
    timeout_strategy: str = ""
    params: tuple[Property, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSchedule:
    """When a workflow runs by itself; `failure_strategy`, `priority` and `worker_group` hold for its runs."""

    cron: str
    timezone: str = ""
    start: str = ""
    end: str = ""
    failure_strategy: str = ""
    priority: str = ""
    worker_group: str = ""
    environment: str = ""
    online: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceWorkflow:
    """One workflow.

    Attributes:
        code: The number by which others refer to it, as text; empty in the SDK's YAML.
        timeout_min: Minutes; 0: none.
        aliases: Other names of tasks in `needs` and in fields: their codes.
    """

    name: str
    report: Reporter
    code: str = ""
    description: str = ""
    execution: str = ""
    worker_group: str = ""
    timeout_min: int = 0
    params: tuple[Property, ...] = ()
    tasks: tuple[SourceTask, ...] = ()
    schedule: SourceSchedule | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)
