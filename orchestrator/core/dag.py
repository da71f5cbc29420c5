"""Owns the compiled graph of a workflow definition: order, neighbours, ancestors; linear, no recursion."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter

from orchestrator.core.branches import Gates, gates_of, named_by_conditions
from orchestrator.core.definition import TaskDefinition, WorkflowDefinition
from orchestrator.core.elements import TaskTable
from orchestrator.errors import DefinitionError, Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """The tasks that can run and how they depend on each other; disabled tasks are wires and not in it.

    Attributes:
        tasks: Every task that is not disabled, by name, in topological order. It knows the elements of
            maps too, when it is asked.
        order: Task names so that each stands behind all its upstreams.
        position: Index of each name in `order`.
        upstream: Direct upstreams of each task, disabled ones replaced by theirs, without repeats.
        downstream: Direct downstreams of each task, in topological order.
        roots: Tasks without upstreams.
        leaves: Tasks without downstreams.
        gates: What hangs on the branches of switch and conditions tasks.
        mapped: Tasks with `map:`.
        absorbed: Tasks whose failure a conditions task names: it does not make the run fail.
    """

    tasks: Mapping[str, TaskDefinition]
    order: tuple[str, ...]
    position: Mapping[str, int] = field(repr=False)
    upstream: Mapping[str, tuple[str, ...]] = field(repr=False)
    downstream: Mapping[str, tuple[str, ...]] = field(repr=False)
    roots: tuple[str, ...]
    leaves: tuple[str, ...]
    gates: Gates = field(repr=False)
    mapped: tuple[str, ...] = field(repr=False)
    absorbed: frozenset[str] = field(repr=False)


def compile_graph(definition: WorkflowDefinition) -> Graph:
    """Return the graph of `definition`, in time linear in its edges.

    Raises:
        DefinitionError: A name stands twice, a task needs an unknown one, or the needs form a cycle.
    """
    _check_names(definition)
    by_name = {task.name: task for task in definition.tasks}
    upstream: dict[str, tuple[str, ...]] = {}
    wires: dict[str, tuple[str, ...]] = {}
    for name in _ordered(by_name):
        sources = dict.fromkeys(one for need in by_name[name].needs for one in wires.get(need, (need,)))
        (wires if by_name[name].disabled else upstream)[name] = tuple(sources)
    return _graph({name: by_name[name] for name in upstream}, upstream, gates_of(by_name))


def select_tasks(
    definition: WorkflowDefinition, start_nodes: Sequence[str], depends: str
) -> WorkflowDefinition:
    """Return `definition` with only the tasks that a run from `start_nodes` has; empty `start_nodes`: all.

    Needs that point outside the selection are dropped: what stands there counts as done.

    Args:
        definition: The whole workflow.
        start_nodes: Names of the tasks to start from.
        depends: What runs besides them: `only` nothing, `upstream` what they need, `downstream` what needs them.
    """
    if not start_nodes:
        return definition
    graph = compile_graph(definition)
    chosen = {name for name in start_nodes if name in graph.tasks}
    reach = {"upstream": graph.upstream, "downstream": graph.downstream}.get(depends)
    if reach is not None:
        chosen |= {one for name in tuple(chosen) for one in _reach(reach, name)}
    chosen |= {task.name for task in definition.tasks if task.disabled}  # wires, which branches may name
    tasks = (
        replace(task, needs=tuple(need for need in task.needs if need in chosen))
        for task in definition.tasks
        if task.name in chosen
    )
    return replace(definition, tasks=tuple(tasks))


def find_cycle(needs: Mapping[str, Iterable[str]]) -> list[str] | None:
    """Return one cycle in the direction of execution, its first name repeated at the end, or `None`.

    Args:
        needs: Task name to the names of its upstreams.
    """
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        return _cycle_of(error)
    return None


def ancestors(graph: Graph, task: str) -> frozenset[str]:
    """Return the names of all tasks that `task` depends on, directly or not."""
    return _reach(graph.upstream, task)


def with_descendants(graph: Graph, tasks: Iterable[str]) -> set[str]:
    """Return these tasks and all that depend on one of them, directly or not."""
    found: set[str] = set()
    waiting = list(tasks)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(graph.downstream[name])
    return found


def descendants(graph: Graph, task: str) -> frozenset[str]:
    """Return the names of all tasks that depend on `task`, directly or not."""
    return _reach(graph.downstream, task)


def _ordered(tasks: Mapping[str, TaskDefinition]) -> tuple[str, ...]:
    try:
        return tuple(TopologicalSorter({name: task.needs for name, task in tasks.items()}).static_order())
    except CycleError as error:
        cycle = " -> ".join(_cycle_of(error))
        raise DefinitionError([Fault(message=f"the tasks form a cycle: {cycle}", field="needs")]) from None


def _cycle_of(error: CycleError) -> list[str]:
    cycle: list[str] = error.args[1]
    return cycle


def _check_names(definition: WorkflowDefinition) -> None:
    faults: list[Fault] = []
    names: set[str] = set()
    for task in definition.tasks:
        if task.name in names:
            faults.append(Fault(message="this name stands twice", task=task.name, field="name"))
        names.add(task.name)
    for task in definition.tasks:
        faults.extend(
            Fault(message=f"there is no task '{need}'", task=task.name, field="needs")
            for need in task.needs
            if need not in names
        )
    if faults:
        raise DefinitionError(faults)


def _graph(tasks: dict[str, TaskDefinition], upstream: dict[str, tuple[str, ...]], gates: Gates) -> Graph:
    downstream: dict[str, list[str]] = {name: [] for name in tasks}
    for name, sources in upstream.items():
        for source in sources:
            downstream[source].append(name)
    order = tuple(tasks)
    return Graph(
        tasks=TaskTable(tasks),
        order=order,
        position={name: index for index, name in enumerate(order)},
        upstream=upstream,
        downstream={name: tuple(targets) for name, targets in downstream.items()},
        roots=tuple(name for name in order if not upstream[name]),
        leaves=tuple(name for name in order if not downstream[name]),
        gates=gates,
        mapped=tuple(name for name in order if tasks[name].map_over is not None),
        absorbed=named_by_conditions(tasks.values()),
    )


def _reach(edges: Mapping[str, tuple[str, ...]], start: str) -> frozenset[str]:
    found: set[str] = set()
    waiting = list(edges[start])
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(edges[name])
    return frozenset(found)
