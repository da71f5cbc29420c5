"""Owns workflow and task definitions: plain frozen values, their document form and their hash."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar


class Trigger(StrEnum):
    """When a task runs, given how its upstreams ended."""

    ALL_SUCCESS = "all_success"
    NONE_FAILED = "none_failed"
    ALL_DONE = "all_done"
    ONE_SUCCESS = "one_success"
    ONE_FAILED = "one_failed"


class Priority(StrEnum):
    """Five levels; the workflow's counts first, then the task's, then age."""

    HIGHEST = "highest"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    LOWEST = "lowest"

    @property
    def rank(self) -> int:
        """Position from 0 (highest) to 4 (lowest)."""
        return tuple(Priority).index(self)


class OnFailure(StrEnum):
    """What a failed task means for the rest of the run."""

    CONTINUE = "continue"
    END = "end"


class Execution(StrEnum):
    """How several instances of one definition share time."""

    PARALLEL = "parallel"
    SERIAL_WAIT = "serial_wait"
    SERIAL_DISCARD = "serial_discard"
    SERIAL_PRIORITY = "serial_priority"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDefinition:
    """One node of a workflow definition. Durations are in seconds; `None` means "not set".

    Attributes:
        spec: The fields of the task's own type, as written (`run`, `shell`, `call`, `url`, `cases`, …).
        needs: Names of the upstream tasks.
        params: Parameters of the task; values may hold `${name}` and `$[...]`.
        outputs: Declared outputs, name to type name.
        non_retryable: Exit codes and exception names (as text) after which no retry is made.
        map_over: The expression behind `map:`; `map_as` and `max_parallel` belong to it.
    """

    name: str
    type: str
    spec: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""
    needs: tuple[str, ...] = ()
    trigger: Trigger = Trigger.ALL_SUCCESS
    params: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    retries: int = 0
    retry_delay_s: float = 0.0
    retry_backoff: float = 1.0
    max_retry_delay_s: float | None = None
    non_retryable: tuple[str, ...] = ()
    timeout_s: float | None = None
    on_timeout: str = "fail"
    queue_timeout_s: float | None = None
    on_queue_timeout: str = "fail"
    delay_s: float = 0.0
    priority: Priority = Priority.MEDIUM
    worker_group: str | None = None
    environment: str | None = None
    pool: str | None = None
    disabled: bool = False
    cache: bool = False
    check: Mapping[str, Any] | None = None
    bundle: str | None = None
    map_over: Any = None
    map_as: str = "item"
    max_parallel: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterDefinition:
    """A declared workflow parameter.

    Attributes:
        type: One of string, integer, float, boolean, date, list, map; `None` when only a default was given.
        default: The value without a start parameter; `required` says that there is none.
    """

    type: str | None = None
    default: Any = None
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowDefinition:
    """A versioned graph. Durations are in seconds; `None` means "not set".

    Attributes:
        source_dir: Directory of the file the definition came from (for `cwd`), as deployed; not hashed.
    """

    name: str
    tasks: tuple[TaskDefinition, ...]
    description: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
    timezone: str = "UTC"
    params: Mapping[str, ParameterDefinition] = field(default_factory=dict)
    timeout_s: float | None = None
    on_timeout: str = "alert"
    on_failure: OnFailure = OnFailure.CONTINUE
    execution: Execution = Execution.PARALLEL
    priority: Priority = Priority.MEDIUM
    worker_group: str = "default"
    environment: str | None = None
    outputs: Mapping[str, Any] | None = None
    alerts: tuple[Mapping[str, Any], ...] = ()
    schedules: tuple[Mapping[str, Any], ...] = ()
    source_dir: str | None = None

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical document: equal hashes mean that deploying makes no new version."""
        document = to_document(self)
        document.pop("source_dir", None)
        text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


D = TypeVar("D", TaskDefinition, WorkflowDefinition, ParameterDefinition)


def to_document(definition: WorkflowDefinition) -> dict[str, Any]:
    """Return `definition` as JSON-ready containers without the fields that have their default."""
    document = _plain(definition)
    document["tasks"] = [_plain(task) for task in definition.tasks]
    document["params"] = {name: _plain(value) for name, value in definition.params.items()}
    return document


def from_document(document: Mapping[str, Any]) -> WorkflowDefinition:
    """Return the definition whose `to_document` is `document`."""
    values = dict(document)
    tasks = tuple(_typed(TaskDefinition, task) for task in values.pop("tasks"))
    params = {name: _typed(ParameterDefinition, one) for name, one in values.pop("params", {}).items()}
    return _typed(WorkflowDefinition, {**values, "tasks": tasks, "params": params})


def _plain(value: TaskDefinition | WorkflowDefinition | ParameterDefinition) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for one in dataclasses.fields(value):
        content = getattr(value, one.name)
        factory = one.default_factory
        default = factory() if factory is not dataclasses.MISSING else one.default
        if content != default:
            plain[one.name] = list(content) if isinstance(content, tuple) else content
    return plain


_ENUMS = {"trigger": Trigger, "priority": Priority, "on_failure": OnFailure, "execution": Execution}
_TUPLES = frozenset({"needs", "non_retryable", "tags", "alerts", "schedules"})


def _typed(cls: type[D], values: Mapping[str, Any]) -> D:
    typed: dict[str, Any] = {
        name: _ENUMS[name](value) if name in _ENUMS else tuple(value) if name in _TUPLES else value
        for name, value in values.items()
    }
    return cls(**typed)
