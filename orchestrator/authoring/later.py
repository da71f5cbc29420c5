"""Owns what the language can say and this version cannot run yet; whoever starts a workflow asks here first."""

from collections.abc import Iterator

from orchestrator.core.definition import TaskDefinition, WorkflowDefinition
from orchestrator.core.elements import MAP
from orchestrator.core.logic import LOGIC_TYPES
from orchestrator.errors import DefinitionError, Fault

RUNNABLE_TYPES = frozenset({"shell", "python", "noop", "celery", "sql", "http"}) | (LOGIC_TYPES - {MAP})

_REASON = "is understood but cannot be run by this version yet"


def unsupported(definition: WorkflowDefinition) -> list[Fault]:
    """Return one fault for each field of `definition` that this version cannot run."""
    return [fault for task in definition.tasks for fault in _task(task)]


def refuse_unsupported(definition: WorkflowDefinition) -> None:
    """Return if this version can run all of `definition`.

    Raises:
        DefinitionError: It cannot; every field concerned is named.
    """
    faults = unsupported(definition)
    if faults:
        raise DefinitionError(faults)


def _task(task: TaskDefinition) -> Iterator[Fault]:
    if task.type not in RUNNABLE_TYPES:
        yield Fault(message=f"the type '{task.type}' {_REASON}", task=task.name, field="type")
    used = {
        "bundle": task.bundle is not None,
    }
    for field, is_used in used.items():
        if is_used:
            yield Fault(message=f"'{field}' {_REASON}", task=task.name, field=field)
