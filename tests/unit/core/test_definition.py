"""Definitions as documents: nothing is lost, equal ones have equal hashes, different ones do not."""

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.definition import (
    Execution,
    OnFailure,
    ParameterDefinition,
    Priority,
    TaskDefinition,
    Trigger,
    WorkflowDefinition,
    from_document,
    to_document,
)
from tests.builders import a_definition, a_task

TASK_FIELDS: dict[str, Any] = {
    "name": "b",
    "type": "shell",
    "spec": {"run": "true", "env": {"a": [1, 2]}},
    "description": "d",
    "needs": ("a",),
    "trigger": Trigger.ALL_DONE,
    "params": {"n": 3},
    "outputs": {"rows": "integer"},
    "retries": 3,
    "retry_delay_s": 1.5,
    "retry_backoff": 2.0,
    "max_retry_delay_s": 60.0,
    "non_retryable": ("3", "ValueError"),
    "timeout_s": 5.0,
    "on_timeout": "warn",
    "queue_timeout_s": 6.0,
    "on_queue_timeout": "warn",
    "delay_s": 7.0,
    "priority": Priority.LOW,
    "worker_group": "gpu",
    "environment": "prod",
    "pool": "database",
    "disabled": True,
    "cache": True,
    "check": {"that": "rows > 0"},
    "bundle": "b.zip",
    "map_over": "${shops}",
    "map_as": "shop",
    "max_parallel": 4,
}

WORKFLOW_FIELDS: dict[str, Any] = {
    "name": "nightly",
    "tasks": (a_task("a"),),
    "description": "d",
    "owner": "o",
    "tags": ("x", "y"),
    "timezone": "Europe/Paris",
    "params": {"region": ParameterDefinition(type="string", default="eu")},
    "timeout_s": 60.0,
    "on_timeout": "stop",
    "on_failure": OnFailure.END,
    "execution": Execution.SERIAL_WAIT,
    "priority": Priority.HIGHEST,
    "worker_group": "gpu",
    "environment": "prod",
    "outputs": {"total": "${a.rows}"},
    "alerts": ({"email": "x@example.org"},),
    "schedules": ({"cron": "0 2 * * *"},),
}


def over_the_wire(definition: WorkflowDefinition) -> WorkflowDefinition:
    """Return the definition after a journey as JSON text."""
    return from_document(json.loads(json.dumps(to_document(definition))))


def test_the_samples_have_every_field() -> None:
    """A new field must get its sample here, and so its tests."""
    assert {one.name for one in dataclasses.fields(TaskDefinition)} == set(TASK_FIELDS)
    assert {one.name for one in dataclasses.fields(WorkflowDefinition)} == {*WORKFLOW_FIELDS, "source_dir"}


def test_every_field_survives_its_document() -> None:
    """What is deployed is what runs, types included."""
    definition = WorkflowDefinition(
        **{**WORKFLOW_FIELDS, "tasks": (a_task("a"), TaskDefinition(**TASK_FIELDS)), "source_dir": "/srv"}
    )

    again = over_the_wire(definition)

    assert again == definition
    assert isinstance(again.tasks[1].trigger, Trigger)
    assert isinstance(again.tasks[1].needs, tuple)


def test_a_document_names_only_what_is_not_the_default() -> None:
    """Old documents stay valid, and small, when fields are added."""
    assert to_document(a_definition()) == {
        "name": "w",
        "tasks": [{"name": "a", "type": "noop"}],
        "params": {},
    }


@pytest.mark.parametrize("field", sorted(set(TASK_FIELDS) - {"name", "type"}))
def test_each_task_field_is_part_of_the_hash(field: str) -> None:
    """Deploying a change makes a new version, whichever field it is."""
    changed = a_task("b", **{field: TASK_FIELDS[field]})

    assert a_definition(a_task("a"), changed).hash != a_definition(a_task("a"), a_task("b")).hash


@pytest.mark.parametrize("field", sorted(set(WORKFLOW_FIELDS) - {"tasks"}))
def test_each_workflow_field_is_part_of_the_hash(field: str) -> None:
    """The same for the workflow's own fields."""
    assert a_definition(**{field: WORKFLOW_FIELDS[field]}).hash != a_definition().hash


def test_the_place_of_the_file_is_not_part_of_the_hash() -> None:
    """The same file in another directory is no new version."""
    assert a_definition(source_dir="/a").hash == a_definition(source_dir="/b").hash


@given(st.permutations(["x", "y", "z"]))
def test_the_order_of_keys_is_not_part_of_the_hash(names: list[str]) -> None:
    """Params are a mapping; tasks are a list, and their order counts."""
    params = {name: ord(name) for name in names}

    assert (
        a_definition(a_task(params=params)).hash
        == a_definition(a_task(params=dict(sorted(params.items())))).hash
    )
    assert a_definition(*map(a_task, "ab")).hash != a_definition(*map(a_task, "ba")).hash


def test_priorities_are_ranked_from_highest() -> None:
    """Five levels, 0 first."""
    assert [priority.rank for priority in Priority] == [0, 1, 2, 3, 4]
    assert Priority("highest").rank == 0


def test_the_definition_of_a_workflow_has_these_defaults() -> None:
    """What a user leaves out."""
    task = TaskDefinition(name="t", type="noop")
    workflow = WorkflowDefinition(name="w", tasks=(task,))

    assert (workflow.on_failure, workflow.execution, workflow.on_timeout) == ("continue", "parallel", "alert")
    assert (workflow.priority, workflow.worker_group, workflow.timezone) == ("medium", "default", "UTC")
    assert (task.trigger, task.on_timeout, task.on_queue_timeout) == ("all_success", "fail", "fail")
    assert (task.retries, task.retry_delay_s, task.retry_backoff, task.timeout_s) == (0, 0.0, 1.0, None)
