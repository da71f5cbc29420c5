"""Owns the use cases of stored definitions: deploying, showing, going online and offline."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from orchestrator.authoring.calls import called_by, cycle_fault
from orchestrator.authoring.load import locate
from orchestrator.core.definition import WorkflowDefinition, to_document
from orchestrator.errors import DefinitionError, Fault, NotFound
from orchestrator.service.alert_targets import refuse_unknown_targets
from orchestrator.service.backend import Backend
from orchestrator.service.environments import refuse_unknown_environments
from orchestrator.service.files import placing
from orchestrator.service.finding import find
from orchestrator.service.pools import refuse_unknown_pools
from orchestrator.service.schedules import over as schedules_over


def deploy(
    backend: Backend,
    definitions: Sequence[WorkflowDefinition],
    *,
    online: bool,
    schedules: bool = True,
    files: Sequence[Path] = (),
) -> list[dict[str, Any]]:
    """Store the definitions; one that has not changed keeps its version, and what it does not do is a warning.

    Args:
        backend: The services.
        definitions: Valid ones.
        online: Whether runs may be started from now on.
        schedules: Whether they run by themselves from now on, if they say so; `run` wants the one run only.
        files: What they were read from, for the places of faults.

    Raises:
        DefinitionError: One that shall go online names a target of alerts, an environment or a pool that nobody
            knows; or they and what is stored call each other without end.
    """
    with placing(files):
        if online:
            _refuse_unknown_names(backend, definitions)
        _refuse_endless_calls(backend, definitions)
    over = schedules_over(definitions, backend.queries.now) if online and schedules else []
    warnings = locate(over, files)
    return [
        {
            **_deploy_one(backend, definition, online=online, schedules=schedules),
            "warnings": [str(one) for one in warnings if one.workflow == definition.name],
        }
        for definition in definitions
    ]


def show(backend: Backend, name: str, version: int | None) -> dict[str, Any]:
    """Return one version (the latest by default) with its whole definition.

    Raises:
        NotFound: There is no such workflow or version.
    """
    stored = find(backend, name, version)
    return {
        "name": stored.definition.name,
        "version": stored.version,
        "online": stored.online,
        "description": stored.definition.description,
        "definition": to_document(stored.definition),
    }


def set_online(backend: Backend, name: str, *, online: bool) -> dict[str, Any]:
    """Let a workflow be submitted, or not.

    Raises:
        NotFound: There is no such workflow.
        DefinitionError: It shall go online and names a target of alerts
            that nobody knows.
    """
    stored = find(backend, name, None)
    if online:
        _refuse_unknown_names(backend, [stored.definition])
    backend.definitions.set_online(name, online=online)
    return {"name": name, "version": stored.version, "online": online}


def delete(backend: Backend, name: str) -> dict[str, Any]:
    """Delete a workflow that is offline and has no runs, with all its versions and schedules.

    Raises:
        NotFound: There is no such workflow.
        Conflict: It is online, or has runs.
    """
    find(backend, name, None)
    backend.definitions.delete(name)
    return {"name": name, "deleted": True}


def _refuse_unknown_names(backend: Backend, definitions: Sequence[WorkflowDefinition]) -> None:
    faults: list[Fault] = []
    for refuse in (
        refuse_unknown_targets,
        partial(refuse_unknown_environments, backend),
        partial(refuse_unknown_pools, backend),
    ):
        try:
            refuse(definitions)
        except DefinitionError as error:
            faults += error.faults
    if faults:
        raise DefinitionError(faults)


def _refuse_endless_calls(backend: Backend, definitions: Sequence[WorkflowDefinition]) -> None:
    """Follow the calls of these definitions through what is stored; what does not exist calls nobody."""
    calls = {one.name: called_by(one) for one in definitions}
    waiting = [name for called in calls.values() for name in called]
    while waiting:
        name = waiting.pop()
        if name not in calls:
            try:
                calls[name] = called_by(backend.definitions.get(name).definition)
            except NotFound:
                calls[name] = ()
            waiting.extend(calls[name])
    fault = cycle_fault(calls, definitions)
    if fault is not None:
        raise DefinitionError([fault])


def _deploy_one(
    backend: Backend, definition: WorkflowDefinition, *, online: bool, schedules: bool
) -> dict[str, Any]:
    stored = backend.definitions.deploy(definition, online=online, schedules=schedules)
    return {
        "name": definition.name,
        "version": stored.version,
        "online": stored.online,
        "created": stored.created,
    }
