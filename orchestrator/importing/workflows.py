"""Owns a whole workflow on its way in: its own fields, its parameters, its schedule."""

import json
import re
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from orchestrator.importing import naming
from orchestrator.importing.context import Names
from orchestrator.importing.quartz import NoEquivalent, convert_cron
from orchestrator.importing.source import Property, SourceSchedule, SourceWorkflow
from orchestrator.importing.tasks import PRIORITIES, convert_tasks
from orchestrator.importing.values import REFERENCE, SYSTEM, as_shown, declared_type, translate_value, typed

_EXECUTIONS = ("parallel", "serial_wait", "serial_discard", "serial_priority")


def convert_workflow(workflow: SourceWorkflow, names: Names) -> dict[str, Any]:
    """Return a document of our language: `workflow` and `tasks`; gaps and notes go to the workflow's report."""
    fields: dict[str, Any] = {"name": names.workflows[workflow.name], "description": workflow.description}
    if fields["name"] != workflow.name:
        workflow.report.note("name", f"becomes '{fields['name']}'")
    for task in workflow.tasks:
        if names.tasks[task.name] != task.name:
            task.report.note("name", f"becomes '{names.tasks[task.name]}'")
    fields |= {"timezone": None, "params": _params(workflow), "outputs": _outputs(workflow)}
    fields |= {"timeout": f"{workflow.timeout_min}m" if workflow.timeout_min else None}
    fields |= {"execution": _execution(workflow), "worker_group": _group(workflow.worker_group)}
    if workflow.schedule is not None:
        fields |= {name: value for name, value in _scheduled(workflow, workflow.schedule).items() if value}
    if not workflow.tasks:
        workflow.report.gap("tasks", "has no tasks")
    tasks = convert_tasks(workflow, names)
    if not fields["timezone"] and "$[" in json.dumps([fields, tasks]):
        workflow.report.note("timezone", "is not in the file: time placeholders count in UTC; write timezone")
    kept = {name: value for name, value in fields.items() if value not in (None, "", {}, [])}
    return {"workflow": kept, "tasks": tasks}


def _group(name: str) -> str | None:
    return naming.workflow_name(name) if name not in ("", "default") else None


def _execution(workflow: SourceWorkflow) -> str | None:
    word = workflow.execution.lower()
    if word and word not in _EXECUTIONS:
        workflow.report.gap("executionType", f"'{word[:20]}' is none of {', '.join(_EXECUTIONS)}")
    return word if word not in ("", "parallel") else None


def _outputs(workflow: SourceWorkflow) -> dict[str, str]:
    """Return what the workflow gives to a parent: its parameters in the direction OUT."""
    ours = naming.unique((one.name for one in workflow.params), naming.parameter_name)
    return {ours[one.name]: f"${{{ours[one.name]}}}" for one in workflow.params if one.direction == "OUT"}


def _params(workflow: SourceWorkflow) -> dict[str, Any]:
    by_name = {one.name: one for one in workflow.params}
    ours = naming.unique(by_name, naming.parameter_name)
    found = {}
    for one in workflow.params:
        if one.direction == "OUT" and one.value in ("", None):
            continue
        path = f"globalParams.{one.name}"
        if ours[one.name] != one.name:
            workflow.report.note(path, f"becomes '{ours[one.name]}', which a shell can have as a variable")
        if declared_type(one) is None:
            workflow.report.gap(path, f"the type {one.kind} has no equivalent")
            continue
        try:
            value = _inlined(workflow, typed(one), by_name, path)
        except ValueError as error:
            workflow.report.gap(path, str(error))
            continue
        value = translate_value(value, lambda name: ours.get(name, name))
        found[ours[one.name]] = {"default": value} if isinstance(value, dict) else value
    return found


def _inlined(workflow: SourceWorkflow, value: Any, others: Mapping[str, Property], path: str) -> Any:
    """Return a value in which other parameters' plain values stand in place of references to them."""
    if not isinstance(value, str):
        return value

    def inline(match: re.Match[str]) -> str:
        name = match[1]
        if name in SYSTEM or name not in others:
            return match[0]
        plain = as_shown(others[name].value)
        if REFERENCE.search(plain):
            workflow.report.gap(
                path, f"refers to '{name}', which refers to another parameter; write its value"
            )
        workflow.report.note(
            path, f"'{name}' stands in it by its value; another value at the start changes only itself"
        )
        return plain

    return REFERENCE.sub(inline, value)


def _scheduled(workflow: SourceWorkflow, schedule: SourceSchedule) -> dict[str, Any]:
    """Return what a schedule says of the workflow; here failure strategy and priority belong to the workflow."""
    report = workflow.report
    fields: dict[str, Any] = {"timezone": _zone(workflow, schedule.timezone)}
    strategy = schedule.failure_strategy.lower()
    if strategy not in ("", "continue", "end"):
        report.gap("schedule.failureStrategy", f"'{strategy[:20]}' is neither CONTINUE nor END")
    fields["on_failure"] = "end" if strategy == "end" else None
    priority = schedule.priority.lower()
    if priority and priority not in PRIORITIES:
        report.gap("schedule.priority", f"'{priority[:20]}' is none of {', '.join(PRIORITIES)}")
    fields["priority"] = priority if priority != "medium" else None
    fields["worker_group"] = _group(schedule.worker_group)
    if schedule.environment:
        fields["environment"] = naming.workflow_name(schedule.environment)
        report.note(
            "schedule.environmentCode", f"set it: orchestrator environments set {fields['environment']} K=V…"
        )
    try:
        cron = convert_cron(schedule.cron)
    except NoEquivalent as error:
        report.gap("schedule.crontab", str(error))
        return fields
    if not schedule.online:
        report.note("schedule.releaseState", f"the schedule '{cron}' is offline there and left out here")
        return fields
    times = {name: _moment(workflow, name, getattr(schedule, name)) for name in ("start", "end")}
    fields["schedules"] = [{"cron": cron, **{name: value for name, value in times.items() if value}}]
    return fields


def _zone(workflow: SourceWorkflow, name: str) -> str | None:
    if not name:
        return None
    try:
        return ZoneInfo(name).key
    except (OSError, ValueError, LookupError):
        workflow.report.gap(
            "schedule.timezoneId", f"'{name[:40]}' is no IANA time zone; write Europe/Paris, UTC, …"
        )
        return None


def _moment(workflow: SourceWorkflow, name: str, text: str) -> str | None:
    """Return a time as ISO 8601; the other system also writes `2026/11/01` and `20261101`."""
    if not text:
        return None
    match = re.fullmatch(
        r"(\d{4})[-/]?(\d{2})[-/]?(\d{2})(?:[ T]?(\d{2}):?(\d{2}):?(\d{2})(?:\.0+)?)?([+-]\d{2}:?\d{2}|Z)?",
        text,
    )
    if match is None:
        workflow.report.gap(f"schedule.{name}Time", f"'{text[:40]}' is no time; write 2026-11-01 02:00:00")
        return None
    clock = ":".join(match[part] or "00" for part in (4, 5, 6))
    return f"{match[1]}-{match[2]}-{match[3]}T{clock}{match[7] or ''}"
