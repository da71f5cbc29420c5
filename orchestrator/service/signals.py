"""Owns the use case of signalling: a person or a program gives an approval task what it waits for."""

from collections.abc import Mapping
from typing import Any

from orchestrator.authoring.names import did_you_mean
from orchestrator.core.command import CommandKind
from orchestrator.core.definition import TaskDefinition
from orchestrator.core.logic import APPROVAL
from orchestrator.core.status import TaskState
from orchestrator.errors import Conflict, NotFound
from orchestrator.service import runs
from orchestrator.service.backend import Backend
from orchestrator.service.parameters import outputs_from_texts


def send_signal(
    backend: Backend, workflow_instance_id: int, task: str, texts: Mapping[str, str]
) -> dict[str, Any]:
    """Signal an approval; answers at once, the master carries it out.

    Args:
        backend: The services.
        workflow_instance_id: The run.
        task: The approval task.
        texts: Its outputs by name, as texts.

    Returns:
        Run, task, its outputs, and whether a signal was sent: the same one is sent once.

    Raises:
        NotFound: There is no such run, or it has no such approval.
        Conflict: The task does not wait for a signal.
        UserError: The outputs are not those that the task declares.
    """
    document = runs.show(backend, workflow_instance_id)
    stored = backend.definitions.get(document["workflow"], document["version"])
    outputs = outputs_from_texts(_approval(document, stored.definition.tasks, task), texts)
    sent = _is_needed(document, task, outputs)
    if sent:
        body = {"task": task, "outputs": outputs}
        backend.wake(backend.commands.send(workflow_instance_id, CommandKind.SIGNAL, body).slot)
    return {"workflow_instance_id": workflow_instance_id, "task": task, "outputs": outputs, "sent": sent}


def _approval(document: Mapping[str, Any], tasks: tuple[TaskDefinition, ...], name: str) -> TaskDefinition:
    approvals = {task.name: task for task in tasks if task.type == APPROVAL and not task.disabled}
    if name not in approvals:
        known = did_you_mean(name, approvals) or (f"; it has: {', '.join(approvals)}" if approvals else "")
        raise NotFound(
            f"run {document['id']}: '{name}' is no approval task of '{document['workflow']}'{known}"
        )
    return approvals[name]


def _is_needed(document: Mapping[str, Any], name: str, outputs: Mapping[str, Any]) -> bool:
    row = next((one for one in document["tasks"] if one["name"] == name and one["current"]), None)
    if row is not None and row["state"] == TaskState.SUCCESS and row["outputs"] == outputs:
        return False
    if row is None or row["state"] != TaskState.RUNNING:
        state = "has not been reached" if row is None else f"is {row['state']}"
        raise Conflict(
            f"run {document['id']} is {document['state']}: '{name}' {state}, it waits for no signal"
        )
    return True
