"""Owns branching: which edges behind a switch or conditions task count, and what conditions find and absorb."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from orchestrator.core.definition import TaskDefinition
from orchestrator.core.node import Outcome

Gates = Mapping[str, Mapping[str, frozenset[str]]]
"""Branching task to its gated downstreams: each counts only if one of these branch tasks was chosen."""

CONDITIONS = "conditions"

_DIRECT = ""
"""Label of a way that no branch stands on."""


def gates_of(tasks: Mapping[str, TaskDefinition]) -> Gates:
    """Return the gates of a workflow; a disabled branch task is a wire, so what hangs on it is gated instead.

    Args:
        tasks: Every task by name, disabled ones too.
    """
    branching = {name: set(branch_tasks(task)) for name, task in tasks.items() if not task.disabled}
    branching = {name: targets for name, targets in branching.items() if targets}
    if not branching:
        return {}
    downstream = _downstream(tasks)
    return {name: _gated(name, targets, tasks, downstream) for name, targets in branching.items()}


def branch_tasks(task: TaskDefinition) -> Iterator[str]:
    """Yield the names that stand in the branches of a task, as written."""
    match task.type:
        case "switch":
            for case in task.spec["cases"]:
                yield from case["then"]
            yield from task.spec.get("default") or ()
        case "conditions":
            yield from task.spec.get("success") or ()
            yield from task.spec.get("failure") or ()


def edge_outcome(
    gates: Gates, upstream: str, downstream: str, outcome: Outcome, taken: Sequence[str] | None
) -> Outcome:
    """Return how an upstream's end looks along one edge: a branch that was not chosen is a skipped upstream.

    Args:
        gates: Of the graph.
        upstream: The task that ended.
        downstream: The task that looks at it.
        outcome: How it ended.
        taken: The branch tasks that it chose; `None` if it chose nothing (a dry run, a forced success): all count.
    """
    if taken is None or outcome is not Outcome.SUCCESS:
        return outcome
    gate = gates.get(upstream, {}).get(downstream)
    return outcome if gate is None or not gate.isdisjoint(taken) else Outcome.SKIPPED


def named_by_conditions(tasks: Iterable[TaskDefinition]) -> frozenset[str]:
    """Return the tasks whose failure some conditions task names: such failures are absorbed."""
    return frozenset(
        name for task in tasks if task.type == CONDITIONS and not task.disabled for name in _named(task.spec)
    )


def chosen_by_conditions(
    task: TaskDefinition, outcome_of: Callable[[str], Outcome | None]
) -> tuple[str, ...]:
    """Return the branch that a conditions task takes.

    Args:
        task: The conditions task.
        outcome_of: How a task ended; `None` where it is not part of the run, which counts as a success.
    """
    branch = "success" if _holds(task.spec, outcome_of) else "failure"
    return tuple(task.spec.get(branch) or ())


def _named(spec: Mapping[str, Any]) -> Iterator[str]:
    for item in [*(spec.get("all") or ()), *(spec.get("any") or ())]:
        if item.get("task") is not None:
            yield item["task"]
        yield from _named(item)


def _holds(item: Mapping[str, Any], outcome_of: Callable[[str], Outcome | None]) -> bool:
    if item.get("all"):
        return all(_holds(one, outcome_of) for one in item["all"])
    if item.get("any"):
        return any(_holds(one, outcome_of) for one in item["any"])
    outcome = outcome_of(item["task"]) or Outcome.SUCCESS
    if item["is"] == "success":
        return outcome is Outcome.SUCCESS
    return outcome in (Outcome.FAILED, Outcome.NOT_RUN)


def _downstream(tasks: Mapping[str, TaskDefinition]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {name: [] for name in tasks}
    for name, task in tasks.items():
        for need in task.needs:
            found[need].append(name)
    return found


def _gated(
    source: str,
    targets: set[str],
    tasks: Mapping[str, TaskDefinition],
    downstream: Mapping[str, Sequence[str]],
) -> dict[str, frozenset[str]]:
    """Follow every way out of `source`, through wires, to tasks that can run; keep what only branches reach."""
    ways: dict[str, set[str]] = {}
    waiting = [(name, name if name in targets else _DIRECT) for name in downstream[source]]
    while waiting:
        name, label = waiting.pop()
        labels = ways.setdefault(name, set())
        if label in labels:
            continue
        labels.add(label)
        if tasks[name].disabled:
            waiting.extend((behind, label) for behind in downstream[name])
    return {
        name: frozenset(labels)
        for name, labels in ways.items()
        if not tasks[name].disabled and _DIRECT not in labels
    }
