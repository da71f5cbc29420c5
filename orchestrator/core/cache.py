"""Owns what the cache of a task is about: the key under which outputs are kept, and what is kept."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.core.definition import TaskDefinition
from orchestrator.core.elements import group_of
from orchestrator.core.inputs import LATE_FIELDS, Inputs
from orchestrator.core.instance import Head, TaskInstance
from orchestrator.core.parameters import texts
from orchestrator.core.surroundings import Surroundings, built_ins

NO_KEY = ""
"""Key of a hand-over whose outputs are not kept: what it was made of may have changed on its way."""

SECRET_MARK = "cache"  # noqa: S105  a mark, no secret
"""Ticket that marks secrets in keys: a name, never a value, and told from a text that looks like one."""


_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheEntry:
    """The outputs of an attempt, kept under a key; they stay in the attempt's row."""

    key: str
    workflow: str
    workflow_instance_id: int
    task: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedOutputs:
    """What the cache has under a key.

    Attributes:
        workflow_instance_id: The run whose task gave these outputs.
    """

    workflow_instance_id: int
    outputs: Mapping[str, Any]


def entries_of(head: Head, attempt: TaskInstance) -> tuple[CacheEntry, ...]:
    """Return what is kept of an attempt that has really succeeded: nothing if its hand-over has no key."""
    if not attempt.cache_key:
        return ()
    entry = CacheEntry(
        key=attempt.cache_key,
        workflow=head.workflow,
        workflow_instance_id=head.id,
        task=attempt.task,
        attempt=attempt.attempt,
    )
    return (entry,)


def cache_key(task: TaskDefinition, around: Surroundings, inputs: Inputs) -> str:
    """Return the key of a task's outputs: equal if definition, resolved inputs and environment are.

    Args:
        task: The task.
        around: What its inputs were resolved from, with `SECRET_MARK` as the ticket.
        inputs: What they came to.
    """
    document = {
        "workflow": around.head.workflow,
        "task": group_of(task.name) or task.name,
        "type": task.type,
        "spec": inputs.spec,
        "check": task.check,
        "outputs": task.outputs,
        "worker_group": task.worker_group or around.head.worker_group,
        "bundle": task.bundle,
        "source_dir": around.definition.source_dir if "cwd" in task.spec else None,
        "params": inputs.params,
        "parameters": _given(task, around, inputs),
        "environment": around.environment,
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _given(task: TaskDefinition, around: Surroundings, inputs: Inputs) -> Mapping[str, Any]:
    """Return what the task sees, without the built-ins that it does not name: each run has its own."""
    if task.type in LATE_FIELDS:  # what its fields refer to, and nothing else
        return inputs.parameters
    words = {word for text in texts(dict(inputs.spec)) for word in _WORD.findall(text)}
    unnamed = {
        name: value
        for name, value in built_ins(around).items()
        if name not in inputs.params and name not in words
    }
    return {
        name: value
        for name, value in inputs.parameters.items()
        if name not in unnamed or unnamed[name] != value
    }
