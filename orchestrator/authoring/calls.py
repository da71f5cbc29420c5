"""Owns which workflow calls which: what must never come back to where it began."""

from collections.abc import Iterable, Mapping
from itertools import pairwise

from orchestrator.core.dag import find_cycle
from orchestrator.core.definition import WorkflowDefinition
from orchestrator.core.logic import SUB_WORKFLOW
from orchestrator.errors import Fault


def called_by(definition: WorkflowDefinition) -> tuple[str, ...]:
    """Return the names of the workflows that the tasks of `definition` start, each once."""
    names = (str(task.spec["workflow"]) for task in definition.tasks if task.type == SUB_WORKFLOW)
    return tuple(dict.fromkeys(names))


def without_callers(definitions: Iterable[WorkflowDefinition]) -> list[WorkflowDefinition]:
    """Return those that no other of them calls: what a file is about."""
    given = list(definitions)
    called = {name for one in given for name in called_by(one) if name != one.name}
    return [one for one in given if one.name not in called]


def cycle_fault(
    calls: Mapping[str, Iterable[str]], definitions: Iterable[WorkflowDefinition] = ()
) -> Fault | None:
    """Return the fault of workflows that call each other without end; `None` if there are none.

    Args:
        calls: Workflow name to the names of those that it calls.
        definitions: Those that the fault may be laid to: the first of them on the way, with the task that calls.
    """
    found = find_cycle(calls)
    if found is None:
        return None
    ways = list(reversed(found))
    workflow, task = _caller(dict(pairwise(ways)), definitions)
    return Fault(
        message=f"workflows call each other without end: {' -> '.join(ways)}",
        workflow=workflow,
        task=task,
        field="workflow",
    )


def _caller(
    next_called: Mapping[str, str], definitions: Iterable[WorkflowDefinition]
) -> tuple[str | None, str | None]:
    for one in definitions:
        for task in one.tasks:
            if task.type == SUB_WORKFLOW and task.spec["workflow"] == next_called.get(one.name):
                return one.name, task.name
    return None, None
