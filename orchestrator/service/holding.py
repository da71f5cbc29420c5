"""Owns the use case of pausing and resuming single tasks of runs; checked against their states."""

from collections.abc import Sequence
from typing import Any

from orchestrator.core.command import CommandKind
from orchestrator.core.elements import group_of
from orchestrator.core.logic import LOGIC_TYPES
from orchestrator.core.run import is_stopping
from orchestrator.core.status import TASK_FINAL, WORKFLOW_FINAL, TaskState
from orchestrator.errors import Conflict, UserError
from orchestrator.service.again import known_task, load
from orchestrator.service.backend import Backend
from orchestrator.service.control import answer, send
from orchestrator.store.instances import LoadedInstance


def control_task(backend: Backend, kind: CommandKind, ids: Sequence[int], task: str) -> list[dict[str, Any]]:
    """Ask the master to hold one task of runs when it is ready, or to let it go on; answers at once.

    Args:
        backend: The services.
        kind: PAUSE or RESUME.
        ids: The runs; all are checked before anything is asked for.
        task: Name of the task.

    Raises:
        NotFound: There is no such run.
        UserError: A run has no such task.
        Conflict: A run, or (to be paused) the task, is ending or has ended.
    """
    found = [load(backend, one) for one in ids]
    asked = [_is_needed(backend, kind, one, task) for one in found]
    for one, wanted in zip(found, asked, strict=True):
        if wanted:
            send(backend, kind, one.head.id, {"task": task})
    return [
        {
            **answer(kind, one.head.id, str(one.head.state), sent=wanted),
            "task": task,
            "task_runs": _runs(one, task),
        }
        for one, wanted in zip(found, asked, strict=True)
    ]


def _runs(loaded: LoadedInstance, task: str) -> bool:
    """Return whether a worker has the task in hand: that attempt goes on, only the next one is held."""
    return any(
        one.task == task and one.state is TaskState.RUNNING and one.type not in LOGIC_TYPES
        for one in loaded.attempts
    )


def _is_needed(backend: Backend, kind: CommandKind, loaded: LoadedInstance, task: str) -> bool:
    """Return whether the command would do something: the task is not (or is) held."""
    head = loaded.head
    verb = str(kind).lower()
    known_task(backend, head, task)
    if (group := group_of(task)) is not None:
        raise UserError(f"'{task}' is an element of the map '{group}', which can only {verb} as a whole")
    if head.state in WORKFLOW_FINAL or is_stopping(head):
        raise Conflict(f"run {head.id} is {head.state}: nothing of it can be asked to {verb}")
    if kind is CommandKind.RESUME:
        return task in head.held
    state = next((one.state for one in loaded.attempts if one.task == task), None)
    if state in TASK_FINAL:
        raise Conflict(f"run {head.id}: task '{task}' has ended {state}: pause fits only before that")
    return task not in head.held
