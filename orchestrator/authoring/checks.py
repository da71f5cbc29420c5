"""Owns what must hold between the tasks of one definition: names, edges, branches, limits."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from orchestrator.authoring import expressions, names
from orchestrator.authoring.expression_names import unknown_functions
from orchestrator.authoring.maps import map_faults
from orchestrator.authoring.names import did_you_mean
from orchestrator.authoring.references import reference_faults
from orchestrator.authoring.schedules import schedule_faults
from orchestrator.core import types
from orchestrator.core.branches import CONDITIONS, named_by_conditions
from orchestrator.core.dag import find_cycle
from orchestrator.core.definition import TaskDefinition, Trigger, WorkflowDefinition, to_document
from orchestrator.core.dependence import dependencies
from orchestrator.core.logic import DEPENDENT
from orchestrator.core.parameters import texts
from orchestrator.errors import Fault

MAX_CYCLES = 10
MAX_SHOWN = 20
MAX_DEPENDENCIES = 100

_NEVER_FOR_ROOTS = frozenset({Trigger.ONE_SUCCESS, Trigger.ONE_FAILED})


def check(definition: WorkflowDefinition) -> list[Fault]:
    """Return everything that is wrong between the tasks of `definition`; its fields were checked before.

    Args:
        definition: All tasks that are known to exist; of those whose fields are at fault, what is known.
    """
    tasks = {task.name: task for task in definition.tasks}
    edges = {
        name: tuple(need for need in dict.fromkeys(task.needs) if need in tasks and need != name)
        for name, task in tasks.items()
    }
    faults = list(_cycles(edges))
    for task in definition.tasks:
        faults.extend(_needs(task, tasks))
        faults.extend(_branches(task, tasks))
        faults.extend(_start(task))
        faults.extend(_items(task, tasks))
        faults.extend(_approval(task))
        faults.extend(_dependencies(task))
        faults.extend(_expressions(task))
        if task.type == "sub_workflow" and task.spec["workflow"] == definition.name:
            faults.append(_fault(task, "workflow", "a workflow cannot contain itself"))
    faults.extend(reference_faults(definition, edges))
    faults.extend(map_faults(definition, tasks))
    faults.extend(schedule_faults(definition))
    return faults


def size_faults(definition: WorkflowDefinition) -> Iterator[Fault]:
    """Yield a fault for each limit of size that a definition without other faults exceeds."""
    edges = sum(len(task.needs) for task in definition.tasks)
    if edges > names.MAX_NEEDS:
        yield Fault(
            message=f"a workflow has at most {names.MAX_NEEDS} edges, this one {edges}", field="needs"
        )
    size = len(json.dumps(to_document(definition), ensure_ascii=False).encode())
    if size > names.MAX_DOCUMENT_BYTES:
        yield Fault(message=f"a definition has at most {names.MAX_DOCUMENT_BYTES} bytes, this one {size}")


def _fault(task: TaskDefinition, field: str, message: str) -> Fault:
    return Fault(message=message, task=task.name, field=field)


def _needs(task: TaskDefinition, tasks: Mapping[str, TaskDefinition]) -> Iterator[Fault]:
    for need, count in Counter(task.needs).items():
        if need == task.name:
            yield _fault(task, "needs", "a task cannot need itself")
        elif need not in tasks:
            yield _fault(task, "needs", f"there is no task '{need}'{did_you_mean(need, tasks)}")
        elif count > 1:
            yield _fault(task, "needs", f"'{need}' stands twice")


def _cycles(edges: Mapping[str, Sequence[str]]) -> Iterator[Fault]:
    """Find cycles one after the other, each time without the tasks of those found before."""
    left = dict(edges)
    for _ in range(MAX_CYCLES):
        cycle = find_cycle(left)
        if cycle is None:
            return
        shown = cycle if len(cycle) <= MAX_SHOWN else [*cycle[:10], "…", *cycle[-10:]]
        message = "the tasks form a cycle: " + " -> ".join(shown)
        yield Fault(message=message, task=cycle[0], field="needs")
        for name in cycle:
            left[name] = ()


def _start(task: TaskDefinition) -> Iterator[Fault]:
    if not task.needs and task.trigger in _NEVER_FOR_ROOTS:
        yield _fault(
            task, "trigger", f"{task.trigger} needs upstream tasks; without them the task never runs"
        )
    if task.type == "conditions" and not task.needs:
        yield _fault(task, "needs", "is missing: the tasks whose end is looked at")


def _branches(task: TaskDefinition, tasks: Mapping[str, TaskDefinition]) -> Iterator[Fault]:
    for field, targets in _branch_fields(task):
        for target in targets:
            if target not in tasks:
                yield _fault(task, field, f"there is no task '{target}'{did_you_mean(target, tasks)}")
            elif task.name not in tasks[target].needs:
                message = f"the branch cannot be reached: '{target}' must have '{task.name}' in its needs"
                yield _fault(task, field, message)


def _items(task: TaskDefinition, tasks: Mapping[str, TaskDefinition]) -> Iterator[Fault]:
    """Find what a conditions task looks at and cannot see: only what it needs has ended when it runs."""
    if task.type != CONDITIONS or not task.needs:  # that is said already
        return
    for name in sorted(named_by_conditions([replace(task, disabled=False)])):
        if name not in tasks:
            yield _fault(task, "conditions", f"there is no task '{name}'{did_you_mean(name, tasks)}")
        elif name not in task.needs:
            yield _fault(task, "conditions", f"'{name}' may not have ended when this runs: add it to needs")


def _approval(task: TaskDefinition) -> Iterator[Fault]:
    """Find defaults of an approval that are no data, or not those that it declares."""
    default = task.spec.get("default") if task.type == "approval" else None
    if default is None:
        return
    if any("${" in text or "$[" in text for text in texts(default)):
        yield _fault(task, "default", "holds values; references and placeholders are not replaced here")
    elif task.outputs:
        for name in sorted(default.keys() ^ task.outputs.keys()):
            what = "is no declared output" if name in default else "is missing"
            yield _fault(task, f"default.{name}", what)
        for name in default.keys() & task.outputs.keys():
            try:
                types.check(default[name], task.outputs[name])
            except types.TypeMismatch as error:
                yield _fault(task, f"default.{name}", str(error))
    if task.timeout_s is None:
        yield _fault(task, "default", "belongs to timeout, which is not there")


def _dependencies(task: TaskDefinition) -> Iterator[Fault]:
    """Find more dependencies than are looked at: each is a question for every slot of its window."""
    count = sum(1 for _ in dependencies(task.spec)) if task.type == DEPENDENT else 0
    if count > MAX_DEPENDENCIES:
        message = f"a dependent task has at most {MAX_DEPENDENCIES} dependencies, this one {count}"
        yield _fault(task, "all" if task.spec.get("all") else "any", message)


def _branch_fields(task: TaskDefinition) -> list[tuple[str, list[str]]]:
    spec = task.spec
    match task.type:
        case "switch":
            cases = [(f"cases[{index}].then", case["then"]) for index, case in enumerate(spec["cases"])]
            return [*cases, ("default", spec.get("default", []))]
        case "conditions":
            return [(field, spec.get(field, [])) for field in ("success", "failure")]
        case _:
            return []


def _expressions(task: TaskDefinition) -> Iterator[Fault]:
    sources = [
        (f"cases[{index}].when", case["when"]) for index, case in enumerate(task.spec.get("cases", ()))
    ]
    if task.check is not None:
        sources.append(("check", task.check["expression"]))
    for field, source in sources:
        try:
            expression = expressions.parse(source)
        except expressions.ExpressionFault as error:
            yield _fault(task, field, str(error))
        else:
            yield from (_fault(task, field, message) for message in unknown_functions(expression))
