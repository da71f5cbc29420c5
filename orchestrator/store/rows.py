"""Owns the translation between rows and the core's values; columns are named as the values' fields."""

import dataclasses
from collections.abc import Mapping
from operator import attrgetter
from typing import Any

from sqlalchemy import RowMapping

from orchestrator.core.command import Command, CommandKind
from orchestrator.core.definition import OnFailure, Priority
from orchestrator.core.instance import Head, TaskInstance
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.store.schema import command, task_instance, workflow_instance

HEAD_FIELDS = tuple(one.name for one in dataclasses.fields(Head))
ATTEMPT_FIELDS = tuple(one.name for one in dataclasses.fields(TaskInstance))
ATTEMPT_KEY = ("workflow_instance_id", "task", "attempt")

HEAD_COLUMNS = tuple(workflow_instance.c[name] for name in HEAD_FIELDS)
ATTEMPT_COLUMNS = tuple(task_instance.c[name] for name in ATTEMPT_FIELDS)
COMMAND_COLUMNS = tuple(command.c[one.name] for one in dataclasses.fields(Command))

HEAD_IMMUTABLE = ("id", "slot", "definition_id", "workflow", "version", "interval_start", "submitted_at")
"""Never written again after the instance was submitted."""

head_tuple = attrgetter(*HEAD_FIELDS)
attempt_tuple = attrgetter(*ATTEMPT_FIELDS)


def head_values(head: Head) -> dict[str, Any]:
    """Return the columns of `head`, by name."""
    return dict(zip(HEAD_FIELDS, head_tuple(head), strict=True))


def attempt_values(attempt: TaskInstance) -> dict[str, Any]:
    """Return the columns of `attempt`, by name."""
    return dict(zip(ATTEMPT_FIELDS, attempt_tuple(attempt), strict=True))


def head_of(row: RowMapping) -> Head:
    """Return the head that a row of `workflow_instance` holds; more columns than its own do no harm."""
    values = {name: row[name] for name in HEAD_FIELDS}
    values["state"] = WorkflowState(values["state"])
    values["priority"] = Priority(values["priority"])
    values["on_failure"] = OnFailure(values["on_failure"])
    values["start_nodes"] = tuple(values["start_nodes"])
    values["held"] = tuple(values["held"])
    return Head(**values)


def attempt_of(row: RowMapping) -> TaskInstance:
    """Return the attempt that a row of `task_instance` holds."""
    values = {name: row[name] for name in ATTEMPT_FIELDS}
    values["state"] = TaskState(values["state"])
    values["rejected_by"] = tuple(values["rejected_by"])
    values["taken"] = None if values["taken"] is None else tuple(values["taken"])
    return TaskInstance(**values)


def command_of(row: RowMapping | Mapping[str, Any]) -> Command:
    """Return the command that a row of `command` holds."""
    return Command(**{**row, "kind": CommandKind(row["kind"])})
