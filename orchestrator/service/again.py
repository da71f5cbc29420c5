"""Owns the use cases about single tasks of runs that have ended: rerun from or of one, declare one a success."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from orchestrator.authoring.names import which
from orchestrator.core.command import CommandKind
from orchestrator.core.dag import Graph, compile_graph, select_tasks
from orchestrator.core.definition import WorkflowDefinition
from orchestrator.core.elements import group_of
from orchestrator.core.handlers.again import FORCIBLE
from orchestrator.core.instance import Head, TaskInstance
from orchestrator.core.status import TaskState
from orchestrator.errors import Conflict, NotFound, UserError
from orchestrator.service.backend import Backend
from orchestrator.service.control import answer, is_needed, send
from orchestrator.service.parameters import parameters_from_texts, read_pairs, values_from_texts
from orchestrator.store.instances import LoadedInstance
from orchestrator.store.storable import check_storable

MOST_OUTPUT_BYTES = 64 * 1024
"""As much as a task may put out itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RerunOptions:
    """What runs again; nothing given: everything.

    Attributes:
        start: This task and all behind it.
        only: This task alone.
        texts: Start parameters as `NAME=VALUE`, in place of those of the same names.
    """

    start: str | None = None
    only: str | None = None
    texts: tuple[str, ...] = field(default=())


def rerun(backend: Backend, workflow_instance_id: int, options: RerunOptions) -> dict[str, Any]:
    """Ask the master to run an ended run again; answers at once.

    Raises:
        NotFound: There is no such run.
        Conflict: It has not ended.
        UserError: A task is none of the run's, both `start` and `only` are given, or a parameter does not fit.
    """
    if options.start is not None and options.only is not None:
        raise UserError("--from and --only exclude each other: give one of them")
    loaded = load(backend, workflow_instance_id)
    head = loaded.head
    is_needed(CommandKind.RERUN, head.id, head.state)
    definition = backend.instances.definition(head.definition_id)
    body: dict[str, Any] = {"run_count": head.run_count}
    for name, task in (("from", options.start), ("only", options.only)):
        if task is not None:
            _refuse_element(task)
            body[name] = _known(_graph(head, definition), head, task)
    params = parameters_from_texts(definition, read_pairs(options.texts), head.params)
    if params:
        check_storable(params, "start parameters")
        body["params"] = params
    send(backend, CommandKind.RERUN, head.id, body)
    return answer(CommandKind.RERUN, head.id, str(head.state), sent=True)


def force_success(
    backend: Backend, workflow_instance_id: int, task: str, texts: Iterable[str]
) -> dict[str, Any]:
    """Ask the master to declare a failed or killed task a success; answers at once.

    Args:
        backend: The services.
        workflow_instance_id: A run that has ended.
        task: One of its tasks.
        texts: The task's outputs as `NAME=VALUE`, read by their declared types.

    Raises:
        NotFound: There is no such run.
        Conflict: It has not ended, or the task neither failed nor was killed.
        UserError: The task is none of the run's, or an output does not fit.
    """
    loaded = load(backend, workflow_instance_id)
    head = loaded.head
    is_needed(CommandKind.FORCE_SUCCESS, head.id, head.state)
    definition = backend.instances.definition(head.definition_id)
    graph = _graph(head, definition)
    declared = graph.tasks[_known(graph, head, task)].outputs
    outputs = values_from_texts(read_pairs(texts), declared, "output")
    _check_outputs(outputs)
    attempt = next((one for one in loaded.attempts if one.task == task), None)
    sent = _is_forcible(head, task, attempt)
    if attempt is not None and sent:
        body = {"task": task, "attempt": attempt.attempt, "outputs": outputs}
        send(backend, CommandKind.FORCE_SUCCESS, head.id, body)
    return {**answer(CommandKind.FORCE_SUCCESS, head.id, str(head.state), sent=sent), "task": task}


def load(backend: Backend, number: int) -> LoadedInstance:
    """Return a run as a master loads it, with its attempts.

    Raises:
        NotFound: There is no such run.
    """
    loaded = backend.instances.load([number], whole=[number]).get(number)
    if loaded is None:
        raise NotFound(f"there is no run {number}")
    return loaded


def known_task(backend: Backend, head: Head, task: str) -> str:
    """Return `task` if it is one of the run's that can run.

    Raises:
        UserError: It is not.
    """
    return _known(_graph(head, backend.instances.definition(head.definition_id)), head, task)


def _graph(head: Head, definition: WorkflowDefinition) -> Graph:
    return compile_graph(select_tasks(definition, head.start_nodes, head.depends))


def _refuse_element(task: str) -> None:
    """Raise UserError if a rerun of one element of a map is asked for."""
    if (group := group_of(task)) is not None:
        raise UserError(f"'{task}' is an element of a map: rerun '{group}', or recover the run")


def _known(graph: Graph, head: Head, task: str) -> str:
    if task not in graph.tasks:
        hint = which(task, graph.order)
        raise UserError(f"run {head.id} of '{head.workflow}' has no task '{task}' that could run{hint}")
    return task


def _is_forcible(head: Head, task: str, attempt: TaskInstance | None) -> bool:
    """Return whether there is something to force, or (`False`) it was forced already.

    Raises:
        Conflict: The task is in another state, or was not run.
    """
    if attempt is not None and attempt.state is TaskState.FORCED_SUCCESS:
        return False
    if attempt is not None and attempt.state in FORCIBLE:
        return True
    state = attempt.state if attempt is not None else "not run"
    raise Conflict(f"run {head.id}: task '{task}' is {state}: force-success fits only FAILURE, KILLED")


def _check_outputs(outputs: Mapping[str, Any]) -> None:
    check_storable(outputs, "outputs")
    size = len(msgspec.json.encode(outputs))
    if size > MOST_OUTPUT_BYTES:
        raise UserError(f"outputs too large: {size} bytes, at most {MOST_OUTPUT_BYTES}")
