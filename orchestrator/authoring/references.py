"""Owns the check of references and placeholders: each must be able to have a value when its task starts."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from orchestrator.authoring.expression_names import bare_names, is_asked_for_fields
from orchestrator.authoring.expressions import Expression, ExpressionFault, parse
from orchestrator.authoring.names import did_you_mean
from orchestrator.core import placeholders, secrets
from orchestrator.core.definition import TaskDefinition, WorkflowDefinition
from orchestrator.core.parameters import references, texts
from orchestrator.core.surroundings import BUILT_INS
from orchestrator.errors import Fault, UnresolvedParameter

_SILENT = frozenset({"noop", "switch", "conditions", "dependent"})
_RESOLVED = (
    "url",
    "headers",
    "query",
    "auth",
    "json",
    "form",
    "body",
    "args",
    "kwargs",
    "expect_body",
    "sql",
)
_LITERAL = ("cwd", "shell", "call", "connection", "workflow")
_PROGRAMS = ("run", "script", "sql")
_DOTTED = re.compile(r"(?<![\\$])\$\{([\w-]+)\.[\w.*-]+\}")
_TIME = re.compile(r"(?<!\$)\$\[[^\]]*(?:yyyy|HHmm|add_months|_day\(|year_week)[^\]]*\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One reference to a task by its name, still to be checked against the graph."""

    task: str
    field: str
    target: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What is known about names before anything has run.

    Attributes:
        general: Workflow parameters and built-ins: every task sees them.
        open: Tasks that may see names nobody can know yet: upstream outputs, or an environment's variables.
    """

    tasks: Mapping[str, TaskDefinition]
    downstream: Mapping[str, Sequence[str]]
    general: frozenset[str]
    open: frozenset[str]


def reference_faults(definition: WorkflowDefinition, edges: Mapping[str, Sequence[str]]) -> list[Fault]:
    """Return what is wrong with the references and placeholders of a definition.

    Args:
        definition: The definition.
        edges: Task name to the upstreams that exist.
    """
    names = _names(definition, edges)
    faults = list(_workflow_faults(definition, names))
    uses: list[Use] = []
    for task in definition.tasks:
        faults.extend(_task_faults(task, names, uses))
    faults.extend(_not_upstream(uses, names))
    return faults


def missing_inputs(whole: WorkflowDefinition, selected: WorkflowDefinition) -> list[Fault]:
    """Return what the tasks of a selection refer to and cannot have without the other tasks.

    Args:
        whole: A definition without faults.
        selected: Some of its tasks, with the needs that lie inside the selection.
    """
    left_out = {task.name for task in whole.tasks} - {task.name for task in selected.tasks}
    if not left_out:
        return []
    names = _names(selected, {task.name: task.needs for task in selected.tasks})
    return [fault for task in selected.tasks for fault in _missing(task, names, left_out)]


def _missing(task: TaskDefinition, names: Names, left_out: set[str]) -> Iterator[Fault]:
    for field, value in _resolved_fields(task):
        for path in _paths(value):
            first, dot, _ = path.partition(".")
            if first in _known(task, field, names):
                continue
            if dot and first in left_out:
                message = f"${{{path}}}: the task '{first}' is not part of this run"
                yield Fault(message=message, task=task.name, field=field)
            elif not (dot and first in names.tasks) and task.name not in names.open:
                message = f"${{{path}}} is an output of a task that is not part of this run"
                yield Fault(message=message, task=task.name, field=field)


def _names(definition: WorkflowDefinition, edges: Mapping[str, Sequence[str]]) -> Names:
    tasks = {task.name: task for task in definition.tasks}
    downstream: dict[str, list[str]] = {name: [] for name in tasks}
    for name, needs in edges.items():
        for need in needs:
            downstream[need].append(name)
    givers = [name for name, task in tasks.items() if task.type not in _SILENT]
    with_environment = {name for name, task in tasks.items() if task.environment or definition.environment}
    return Names(
        tasks=tasks,
        downstream=downstream,
        general=frozenset({*definition.params, *BUILT_INS}),
        open=frozenset(_reach(downstream, givers) | with_environment),
    )


def _workflow_faults(definition: WorkflowDefinition, names: Names) -> Iterator[Fault]:
    for name, declared in definition.params.items():
        field = f"params.{name}"
        yield from _texts_faults(None, field, declared.default)
        for path in _paths(declared.default):
            if path.partition(".")[0] not in BUILT_INS and not definition.environment:
                yield Fault(message=f"a workflow parameter sees built-ins only, not ${{{path}}}", field=field)
    for name, value in (definition.outputs or {}).items():
        yield from _texts_faults(None, f"outputs.{name}", value)
        for path in _paths(value):
            first, dot, _ = path.partition(".")
            if dot and first not in names.tasks and first not in names.general:
                message = f"there is no task '{first}'{did_you_mean(first, names.tasks)}"
                yield Fault(message=message, field=f"outputs.{name}")


def _task_faults(task: TaskDefinition, names: Names, uses: list[Use]) -> Iterator[Fault]:
    for field, value in _resolved_fields(task):
        yield from _texts_faults(task.name, field, value)
        for path in _paths(value):
            yield from _reference(task, field, path, names, uses)
    for field, expression in _expressions(task):
        for name, path in expression.variables.items():
            if name != path:
                yield from _reference(task, field, path, names, uses)
        for name in bare_names(expression):
            yield from _bare_name(task, field, expression, name, names)
    for field in _LITERAL:
        if any("${" in text or _TIME.search(text) for text in texts(task.spec.get(field))):
            yield Fault(message="takes no parameters and placeholders", task=task.name, field=field)
    for field in _PROGRAMS:
        yield from _program(task, field, names)


def _resolved_fields(task: TaskDefinition) -> Iterator[tuple[str, Any]]:
    for name, value in task.params.items():
        yield f"params.{name}", value
    if task.map_over is not None:
        yield "map", task.map_over
    for field in _RESOLVED:
        if field in task.spec:
            yield field, task.spec[field]


def _expressions(task: TaskDefinition) -> Iterator[tuple[str, Expression]]:
    written = [
        (f"cases[{index}].when", case["when"]) for index, case in enumerate(task.spec.get("cases", ()))
    ]
    if task.check is not None:
        written.append(("check", task.check["expression"]))
    for field, source in written:
        with suppress(ExpressionFault):  # `checks` has said it
            yield field, parse(source)


def _texts_faults(task: str | None, field: str, value: Any) -> Iterator[Fault]:
    for text in texts(value):
        messages = [] if field in _PROGRAMS else [*placeholders.find_faults(text), *secrets.find_faults(text)]
        try:
            references(text)
        except UnresolvedParameter as error:
            messages.append(str(error))
        yield from (Fault(message=message, task=task, field=field) for message in messages)


def _paths(value: Any) -> list[str]:
    try:
        return sorted(references(value))
    except UnresolvedParameter:  # `_texts_faults` has said it
        return []


def _reference(task: TaskDefinition, field: str, path: str, names: Names, uses: list[Use]) -> Iterator[Fault]:
    first, dot, _ = path.partition(".")
    if first in _known(task, field, names) and not path.endswith(".*"):
        return
    if dot and first in names.tasks:
        uses.append(Use(task=task.name, field=field, target=first, path=path))
    elif path.endswith(".*"):
        message = f"${{{path}}}: there is no task '{first}'{did_you_mean(first, names.tasks)}"
        yield Fault(message=message, task=task.name, field=field)
    elif task.name not in names.open and not (field == "check" and _may_give(task, first)):
        yield _unknown(task, field, path, names, shown=f"${{{path}}}")


def _bare_name(
    task: TaskDefinition, field: str, expression: Expression, name: str, names: Names
) -> Iterator[Fault]:
    """Find a variable without `${}` that cannot have a value; a task by its name is none, its outputs are.

    An output that nobody declared may have a task's name.
    """
    if name in _known(task, field, names) or (field == "check" and _may_give(task, name)):
        return
    is_open = task.name in names.open
    if name in names.tasks and not any(name in one.outputs for one in names.tasks.values()):
        if not is_open or is_asked_for_fields(expression, name):
            message = f"'{name}' is a task and no value; write ${{{name}.OUTPUT}} for what it gave"
            yield Fault(message=message, task=task.name, field=field)
    elif not is_open:
        yield _unknown(task, field, name, names, shown=f"'{name}'")


def _may_give(task: TaskDefinition, name: str) -> bool:
    """Return whether a task may have an output of this name: one that declares none may have any."""
    return name in task.outputs or (not task.outputs and task.type not in _SILENT)


def _known(task: TaskDefinition, field: str, names: Names) -> frozenset[str]:
    if field == "map":
        return names.general
    own = frozenset() if field.startswith("params.") else frozenset(task.params)
    element = frozenset({task.map_as, "map_index"} if task.map_over is not None else ())
    return names.general | own | element


def _unknown(task: TaskDefinition, field: str, path: str, names: Names, *, shown: str) -> Fault:
    first = path.partition(".")[0]
    if first in task.params:
        message = f"{shown}: the params of a task do not see each other"
    else:
        own = task.outputs if field == "check" else ()
        known = sorted({*_known(task, field, names), *own})
        message = f"{shown} names nothing that this task sees{did_you_mean(first, known)}"
    return Fault(message=message, task=task.name, field=field)


def _not_upstream(uses: list[Use], names: Names) -> Iterator[Fault]:
    """Check references by task name: one walk over the graph for each task that is referred to from afar."""
    far = [use for use in uses if use.target not in names.tasks[use.task].needs]
    reached = {target: _reach(names.downstream, [target]) for target in {use.target for use in far}}
    for use in far:
        if use.task not in reached[use.target]:
            message = f"${{{use.path}}}: '{use.target}' is not upstream of this task; add it to needs"
            yield Fault(message=message, task=use.task, field=use.field)


def _reach(downstream: Mapping[str, Sequence[str]], starts: Sequence[str]) -> set[str]:
    """Return everything behind `starts`."""
    found: set[str] = set()
    waiting = [name for start in starts for name in downstream[start]]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(downstream[name])
    return found


def _program(task: TaskDefinition, field: str, names: Names) -> Iterator[Fault]:
    """Find what looks like ours inside a program, where it would silently mean something else, or nothing."""
    text = task.spec.get(field)
    if not isinstance(text, str):
        return
    if time := _TIME.search(text):
        message = f"{time[0]} is not replaced inside a program; put it into params and use the parameter"
        yield Fault(message=message, task=task.name, field=field)
    if field == "sql" and secrets.SCHEME in text:
        message = "a secret is not read inside a program; put it into params and use the parameter"
        yield Fault(message=message, task=task.name, field=field)
    dotted = [one for one in _DOTTED.finditer(text) if one[1] in names.tasks] if field == "run" else []
    for one in dotted:
        message = f'a shell cannot expand {one[0]}; write params: {{value: "{one[0]}"}} and use "$value"'
        yield Fault(message=message, task=task.name, field=field)
