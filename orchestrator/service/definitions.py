"""Owns the use cases of definitions: reading files, deploying, listing, showing, going online and offline."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from orchestrator.authoring.later import unsupported
from orchestrator.authoring.load import load_file
from orchestrator.authoring.names import did_you_mean
from orchestrator.config import Settings
from orchestrator.core.dag import compile_graph
from orchestrator.core.definition import WorkflowDefinition, to_document
from orchestrator.errors import DefinitionError, Fault, NotFound
from orchestrator.service.backend import Backend
from orchestrator.store.definitions import StoredDefinition


def read_files(paths: Iterable[Path]) -> list[WorkflowDefinition]:
    """Return the workflows of all files.

    Raises:
        DefinitionError: The files have faults; all of them are listed, of all files.
    """
    definitions: list[WorkflowDefinition] = []
    faults: list[Fault] = []
    for path in paths:
        try:
            definitions.extend(load_file(path))
        except DefinitionError as error:
            faults.extend(error.faults)
    faults.extend(_told_twice(definitions))
    if faults:
        raise DefinitionError(faults)
    return definitions


def refuse_unsupported(definitions: Iterable[WorkflowDefinition]) -> None:
    """Return if this version can run the definitions: nothing is accepted and then ignored.

    Raises:
        DefinitionError: They use what is parsed but not run yet; every field is named.
    """
    faults = [fault for definition in definitions for fault in unsupported(definition)]
    if faults:
        raise DefinitionError(faults)


def faults_of_later(definition: WorkflowDefinition) -> list[Fault]:
    """Return what keeps the definition from going online with this version."""
    return unsupported(definition)


def needed_on_workers(definitions: Iterable[WorkflowDefinition]) -> list[str]:
    """Return one line for each module that remote workers must be able to import."""
    modules = {
        str(task.spec["call"]).partition(":")[0]
        for definition in definitions
        for task in definition.tasks
        if task.type == "python" and "call" in task.spec
    }
    return [f"workers must be able to import: {module}" for module in sorted(modules)]


def wish_for(settings: Settings, definitions: Sequence[WorkflowDefinition]) -> dict[str, Any]:
    """Return what a set-up must offer to run the definitions: worker groups, and where their files are."""
    groups = {group for definition in definitions for group in groups_of(definition)}
    source_dir = settings.source_dir or next((one.source_dir for one in definitions if one.source_dir), None)
    return {"groups": sorted(groups), "source_dir": str(source_dir) if source_dir else None}


def groups_of(definition: WorkflowDefinition) -> set[str]:
    """Return the worker groups that serve the definition's tasks."""
    return {task.worker_group or definition.worker_group for task in definition.tasks}


def deploy(
    backend: Backend, definitions: Sequence[WorkflowDefinition], *, online: bool
) -> list[dict[str, Any]]:
    """Store the definitions; one that has not changed keeps its version.

    Raises:
        DefinitionError: One that shall go online uses what this version cannot run.
    """
    if online:
        refuse_unsupported(definitions)
    return [_deploy_one(backend, definition, online=online) for definition in definitions]


def list_definitions(backend: Backend) -> list[dict[str, Any]]:
    """Return the latest version of every workflow."""
    return backend.queries.definitions()


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
        DefinitionError: It shall go online and uses what this version cannot run.
    """
    stored = find(backend, name, None)
    if online:
        refuse_unsupported([stored.definition])
    backend.definitions.set_online(name, online=online)
    return {"name": name, "version": stored.version, "online": online}


def find(backend: Backend, name: str, version: int | None) -> StoredDefinition:
    """Return a stored definition.

    Raises:
        NotFound: There is no such workflow or version; the message names the nearest.
    """
    try:
        return backend.definitions.get(name, version)
    except NotFound as error:
        known = [one.definition.name for one in backend.definitions.list()]
        raise NotFound(str(error) + ("" if name in known else did_you_mean(name, known))) from None


def draw(definition: WorkflowDefinition) -> list[str]:
    """Return the graph as lines: each task in topological order, with what it needs."""
    graph = compile_graph(definition)
    return [
        f"{name} <- {', '.join(graph.upstream[name])}" if graph.upstream[name] else name
        for name in graph.order
    ]


def _deploy_one(backend: Backend, definition: WorkflowDefinition, *, online: bool) -> dict[str, Any]:
    stored = backend.definitions.deploy(definition, online=online)
    return {
        "name": definition.name,
        "version": stored.version,
        "online": stored.online,
        "created": stored.created,
    }


def _told_twice(definitions: Iterable[WorkflowDefinition]) -> list[Fault]:
    seen: set[str] = set()
    faults = []
    for definition in definitions:
        if definition.name in seen:
            faults.append(Fault(message=f"two workflows are called '{definition.name}'"))
        seen.add(definition.name)
    return faults
