"""Owns what is known of workflows before any server is asked: reading files, and what running them needs."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orchestrator.authoring.calls import called_by, cycle_fault, without_callers
from orchestrator.authoring.load import load_file, locate
from orchestrator.authoring.names import which
from orchestrator.authoring.references import missing_inputs
from orchestrator.config import Settings
from orchestrator.core.dag import compile_graph, select_tasks
from orchestrator.core.definition import WorkflowDefinition
from orchestrator.errors import DefinitionError, Fault, UserError
from orchestrator.service.alert_targets import refuse_unknown_targets


def read_files(paths: Iterable[Path]) -> list[WorkflowDefinition]:
    """Return the workflows of all files.

    Raises:
        DefinitionError: The files have faults; all of them are listed, of all files.
    """
    files = list(paths)
    loaded: list[tuple[Path, WorkflowDefinition]] = []
    faults: list[Fault] = []
    for path in files:
        try:
            loaded.extend((path, one) for one in load_file(path))
        except DefinitionError as error:
            faults.extend(error.faults)
    faults.extend(_told_twice(loaded))
    definitions = [one for _, one in loaded]
    endless = cycle_fault({one.name: called_by(one) for one in definitions}, definitions)
    if endless is not None and not faults:  # between files; those of one file were told
        faults.extend(locate([endless], files))
    if faults:
        raise DefinitionError(faults)
    return definitions


def read_runnable(paths: Iterable[Path]) -> list[WorkflowDefinition]:
    """Return the workflows of all files if these settings have what running them needs.

    Raises:
        DefinitionError: As `read_files`; or they name a target of alerts that nobody knows.
    """
    files = list(paths)
    definitions = read_files(files)
    with placing(files):
        refuse_unknown_targets(definitions)
    return definitions


@contextmanager
def placing(paths: Iterable[Path]) -> Iterator[None]:
    """Give faults that are found in loaded definitions their places in the files that these were read from."""
    try:
        yield
    except DefinitionError as error:
        raise DefinitionError(locate(error.faults, paths)) from None


def what_it_is_about(definitions: Sequence[WorkflowDefinition]) -> WorkflowDefinition | None:
    """Return the one workflow of a file that no other one of it calls; `None` if there are several."""
    uncalled = without_callers(definitions)
    return uncalled[0] if len(uncalled) == 1 else None


def needed_on_workers(definitions: Iterable[WorkflowDefinition]) -> list[str]:
    """Return one line for each module that remote workers must be able to import, and each bundle."""
    tasks = [task for definition in definitions for task in definition.tasks]
    modules = {
        str(task.spec["call"]).partition(":")[0]
        for task in tasks
        if task.type == "python" and "call" in task.spec and task.bundle is None
    }
    bundles = {task.bundle for task in tasks if task.bundle is not None}
    return [
        *(f"workers must be able to import: {module}" for module in sorted(modules)),
        *(f"workers must have the bundle: {bundle}" for bundle in sorted(bundles)),
    ]


def wish_for(settings: Settings, definitions: Sequence[WorkflowDefinition]) -> dict[str, Any]:
    """Return what a set-up must offer to run the definitions: worker groups, and where their files are."""
    groups = {group for definition in definitions for group in groups_of(definition)}
    source_dir = settings.source_dir or next((one.source_dir for one in definitions if one.source_dir), None)
    return {"groups": sorted(groups), "source_dir": str(source_dir) if source_dir else None}


def groups_of(definition: WorkflowDefinition) -> set[str]:
    """Return the worker groups that serve the definition's tasks."""
    return {task.worker_group or definition.worker_group for task in definition.tasks}


def draw(definition: WorkflowDefinition) -> list[str]:
    """Return the graph as lines: each task in topological order, with what it needs."""
    graph = compile_graph(definition)
    return [
        f"{name} <- {', '.join(graph.upstream[name])}" if graph.upstream[name] else name
        for name in graph.order
    ]


def check_start_nodes(
    definition: WorkflowDefinition, start_nodes: tuple[str, ...], depends: str = "downstream"
) -> None:
    """Return if a run from these start nodes can begin: they are tasks, and no task waits for a missing output.

    Args:
        definition: The whole workflow.
        start_nodes: Names of tasks; none: all roots.
        depends: What runs besides them: `only`, `upstream` or `downstream`.

    Raises:
        UserError: One is no task, or the run's tasks refer to outputs of tasks that are not part of it.
    """
    names = [task.name for task in definition.tasks]
    for node in start_nodes:
        if node not in names:
            raise UserError(f"--start-node {node}: no such task in '{definition.name}'" + which(node, names))
    faults = [
        f"{fault} (a run from {', '.join(start_nodes)} has no other tasks before it)"
        for fault in missing_inputs(definition, select_tasks(definition, start_nodes, depends))
    ]
    if faults:
        raise UserError("\n".join(faults))


def _told_twice(loaded: Iterable[tuple[Path, WorkflowDefinition]]) -> list[Fault]:
    first: dict[str, Path] = {}
    faults = []
    for path, definition in loaded:
        other = first.setdefault(definition.name, path)
        if other is not path:
            message = f"two workflows are called '{definition.name}', the other one in {other}"
            faults.append(Fault(message=message, file=str(path), field="name"))
    return faults
