"""Owns what all tasks have in common, on their way in; each type adds its own fields."""

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.importing import naming
from orchestrator.importing.context import Context, Converted, Names
from orchestrator.importing.logic_types import LOGIC_TYPES
from orchestrator.importing.python_text import RESERVED
from orchestrator.importing.source import SourceTask, SourceWorkflow
from orchestrator.importing.values import declared_type, translate_value, typed
from orchestrator.importing.variables import Known
from orchestrator.importing.worker_types import WORKER_TYPES

PRIORITIES = ("highest", "high", "medium", "low", "lowest")
_CONVERTERS = {**WORKER_TYPES, **LOGIC_TYPES}
_CHILDREN = frozenset({"SUB_PROCESS", "SUB_WORKFLOW"})
_ATTEMPTED = _CHILDREN.union(WORKER_TYPES)


def convert_tasks(workflow: SourceWorkflow, names: Names) -> list[dict[str, Any]]:
    """Return the tasks of a workflow as our language writes them, in their order; gaps go to their reports."""
    shared = _known_to_all(_parameters_given(workflow, names))
    written: list[dict[str, Any]] = []
    branches: dict[str, list[str]] = {}
    for task in workflow.tasks:
        known = _known(task, shared)
        own = _own_params(task, known)
        converted = _convert(Context(task=task, names=names, known=known, own=own))
        name = names.tasks[task.name]
        written += [*converted.before, _written(task, converted, names)]
        for branch in converted.branches:
            branches.setdefault(branch, []).append(name)
    return [_with_needs(one, branches.get(one["name"], ())) for one in written]


def _parameters_given(workflow: SourceWorkflow, names: Names) -> dict[str, tuple[Any, str]]:
    """Return value and type of what all tasks may see: the workflow's parameters, and what tasks give."""
    outputs = [one for task in workflow.tasks for one in task.params if one.direction == "OUT"]
    has_child = any(task.kind in _CHILDREN for task in workflow.tasks)
    given: dict[str, tuple[Any, str]] = {one.name: ("", one.kind) for one in outputs}
    given |= {name: ("", kind) for name, kind in names.returned.items() if has_child}
    return given | {one.name: (one.value, one.kind) for one in workflow.params}


def _known_to_all(given: Mapping[str, tuple[Any, str]]) -> Known:
    return Known(
        names=naming.unique(given, naming.parameter_name),
        values={name: value for name, (value, _) in given.items() if value not in ("", None)},
        kinds={name: kind for name, (_, kind) in given.items()},
    )


def _known(task: SourceTask, shared: Known) -> Known:
    """Return what a task sees; without parameters of its own that is what all tasks see."""
    own = [one for one in task.params if one.direction != "OUT"]
    if not own:
        return shared
    hidden = dict.fromkeys(one.name for one in own)
    others = [ours for name, ours in shared.names.items() if name != ours or name not in hidden]
    names = {**shared.names, **naming.unique(hidden, naming.parameter_name, others)}
    if task.kind == "PYTHON":  # its own parameters become global names of the script
        names |= {one.name: f"p_{one.name}" for one in own if one.name in RESERVED}
    values = {name: value for name, value in shared.values.items() if name not in hidden}
    return Known(
        names=names,
        values=values | {one.name: one.value for one in own if one.value not in ("", None)},
        kinds={**shared.kinds, **{one.name: one.kind for one in own}},
    )


def _convert(context: Context) -> Converted:
    task = context.task
    converter = _CONVERTERS.get(task.kind)
    if converter is None:
        context.report.gap(
            "taskType",
            f"{f'{task.kind} has no equivalent' if task.kind else 'is missing'};"
            f" supported: {', '.join(sorted(_CONVERTERS))}",
        )
        return Converted(values={"type": "noop"})
    converted = converter(context)
    converted.params = {**converted.params, **context.own}
    task.fields.skip(
        "localParams",
        "varPool",
        "dependence",
        "conditionResult",
        "switchResult",
        "resourceList",
        "waitStartTimeout",
    )
    _note_left_out(context)
    task.fields.note_rest()
    return converted


def _own_params(task: SourceTask, known: Known) -> dict[str, Any]:
    found = {}
    for one in task.params:
        if one.direction == "OUT":
            continue
        ours = known.our_name(one.name)
        if ours != one.name:
            task.report.note("localParams", f"'{one.name}' becomes '{ours}', which can name a variable")
        if declared_type(one) is None:
            task.report.gap("localParams", f"'{one.name}': the type {one.kind} has no equivalent")
            continue
        try:
            found[ours] = translate_value(typed(one), known.our_name)
        except ValueError as error:
            task.report.gap("localParams", str(error))
    return found


def _note_left_out(context: Context) -> None:
    task, fields, report = context.task, context.task.fields, context.report
    if task.kind not in _ATTEMPTED:
        for field, value in (
            ("failRetryTimes", task.retries),
            ("timeout", task.timeout_min),
            ("delayTime", task.delay_min),
        ):
            if value:
                report.note(field, "does not fit a task that the master decides, and is left out")
    if any(fields.items("resourceList")):
        report.note("resourceList", "files of the resource centre: put them beside the file and set cwd: .")
    if fields.inner("waitStartTimeout").any("enable"):
        report.note("waitStartTimeout", "has no equivalent and is left out")
    if task.timeout_strategy == "WARNFAILED":
        report.note(
            "timeoutNotifyStrategy", "the attempt fails; for a warning, too, give the workflow alerts"
        )
    if task.environment and task.kind in WORKER_TYPES:
        report.note("environment", f"set it: orchestrator environments set {_environment(task)} K=V…")
    if task.pool and task.kind not in WORKER_TYPES:
        report.note("taskGroupId", "does not fit a task that the master decides, and is left out")
    elif task.pool:
        report.note("taskGroupId", f"set it: orchestrator pools set {task.pool} SLOTS")


def _environment(task: SourceTask) -> str:
    return naming.workflow_name(task.environment)


def _written(task: SourceTask, converted: Converted, names: Names) -> dict[str, Any]:
    """Return a task in the order in which people write its fields."""
    values = dict(converted.values)
    needs = [names.tasks[one] for one in task.needs if one in names.tasks]
    fields: dict[str, Any] = {"name": names.tasks[task.name], "type": values.pop("type")}
    fields["needs"] = list(dict.fromkeys([*(needs if not converted.before else ()), *converted.needs]))
    fields |= {"description": task.description, "params": converted.params, **values}
    fields |= {"outputs": converted.outputs, "disabled": task.disabled, "priority": _priority(task)}
    if task.kind in _ATTEMPTED:
        fields |= _attempts(task, values)
    if task.kind in WORKER_TYPES:
        fields |= _on_worker(task)
    if converted.before:  # the first of them stands where the task stood
        first = converted.before[0]
        first["needs"] = list(dict.fromkeys([*needs, *first["needs"]]))
    return {name: value for name, value in fields.items() if _says_something(name, value)}


def _says_something(name: str, value: Any) -> bool:
    return name in ("cases", "then") or (value not in (None, "", False, 0) and value not in ([], {}))


def _attempts(task: SourceTask, values: Mapping[str, Any]) -> dict[str, Any]:
    timeout = {"timeout": f"{task.timeout_min}m"} if task.timeout_min else {}
    if task.timeout_min and task.timeout_strategy not in ("FAILED", "WARNFAILED"):
        timeout["on_timeout"] = "warn"
    return {
        "retries": task.retries,
        "retry_delay": f"{task.retry_interval_min}m" if task.retries and task.retry_interval_min else None,
        "timeout": values.get("timeout"),
        **timeout,
        "delay": f"{task.delay_min}m" if task.delay_min else None,
    }


def _on_worker(task: SourceTask) -> dict[str, Any]:
    return {
        "worker_group": naming.workflow_name(task.worker_group)
        if task.worker_group not in ("", "default")
        else None,
        "environment": _environment(task) if task.environment else None,
        "pool": task.pool or None,
        "cache": task.cache,
    }


def _priority(task: SourceTask) -> str | None:
    word = task.priority.lower()
    if word and word not in PRIORITIES:
        task.report.gap("taskPriority", f"'{word[:20]}' is no priority; allowed: {', '.join(PRIORITIES)}")
    return word if word in PRIORITIES and word != "medium" else None


def _with_needs(task: dict[str, Any], more: Sequence[str]) -> dict[str, Any]:
    needs = list(dict.fromkeys([*task.get("needs", ()), *more]))
    head = {name: task[name] for name in ("name", "type")}
    rest = {name: value for name, value in task.items() if name not in ("name", "type", "needs")}
    return {**head, **({"needs": needs} if needs else {}), **rest}
