"""Owns reading what DolphinScheduler's UI exports: JSON with workflows, tasks, relations, a schedule."""

from collections.abc import Sequence
from typing import Any

from orchestrator.importing.fields import Fields, read_json
from orchestrator.importing.findings import Reporter
from orchestrator.importing.source import Property, SourceSchedule, SourceTask, SourceWorkflow

_WORKFLOW_KEYS = ("workflowDefinition", "processDefinition")
_RELATION_KEYS = ("workflowTaskRelationList", "processTaskRelationList")
_BOOKKEEPING = (
    "id", "version", "projectCode", "userId", "userName", "projectName", "createTime", "updateTime", "modifyBy",
    "operator", "operateTime", "locations", "globalParamMap", "scheduleReleaseState", "warningGroupId", "flag",
    "taskParamList", "taskParamMap", "code", "schedule", "dependence", "definition", "processDefinitionCode",
    "workflowDefinitionCode", "processDefinitionName", "workflowDefinitionName", "processDefinitionVersion",
    "workflowDefinitionVersion", "environmentName", "tenantId", "tenantName", "connects", "preTasks", "scheduleId",
)  # fmt: skip
_NO_ENVIRONMENT = ("", "-1", "0")


def read_export(text: str, report: Reporter) -> list[SourceWorkflow]:
    """Return the workflows of an exported file; faults go to the report."""
    try:
        value = read_json(text)
    except ValueError as error:
        report.gap(None, str(error))
        return []
    entries = value if isinstance(value, list) else [value]
    if not entries:
        report.gap(None, "holds no workflow")
    return [found for one in entries if (found := _workflow(one, report)) is not None]


def _workflow(entry: Any, report: Reporter) -> SourceWorkflow | None:
    if not (isinstance(entry, dict) and any(isinstance(entry.get(key), dict) for key in _WORKFLOW_KEYS)):
        expected = (
            f"a map with {' or '.join(_WORKFLOW_KEYS)}, taskDefinitionList and {' or '.join(_RELATION_KEYS)}"
        )
        report.gap(None, f"is no workflow as the UI of DolphinScheduler 2 or 3 exports it: {expected}")
        return None
    name = str(
        next(entry[key] for key in _WORKFLOW_KEYS if isinstance(entry.get(key), dict)).get("name") or ""
    )
    inner = report.within(workflow=name)
    whole = Fields(entry, inner)
    fields = Fields(whole.any(*_WORKFLOW_KEYS), inner)
    if not fields.text("name").strip():
        inner.gap("name", "is missing")
    tasks = _tasks(whole, inner)
    found = SourceWorkflow(
        name=fields.text("name"),
        report=inner,
        code=fields.text("code"),
        description=fields.text("description"),
        execution=fields.text("executionType"),
        timeout_min=max(fields.number("timeout"), 0),
        params=read_properties(fields, "globalParamList", "globalParams"),
        tasks=tasks,
        schedule=_schedule(whole.inner("schedule")) if "schedule" in whole else None,
        aliases={task.code: task.name for task in tasks if task.code},
    )
    _note_workflow(fields, inner)
    whole.note_rest()
    return found


def _note_workflow(fields: Fields, report: Reporter) -> None:
    fields.skip(*_BOOKKEEPING, "globalParams", "globalParamList")
    if fields.word("releaseState") == "OFFLINE":
        report.note("releaseState", "is offline there; deploy it with --offline if it shall stay so")
    if fields.word("tenantCode") not in ("", "DEFAULT"):
        report.note("tenantCode", "has no equivalent: tasks run as the user of their worker")
    if fields.word("warningType") not in ("", "NONE"):
        report.note("warningType", "has no equivalent as it stands; write alerts into the workflow")
    fields.note_rest()


def _tasks(whole: Fields, report: Reporter) -> tuple[SourceTask, ...]:
    needs = _relations(whole)
    tasks = []
    for value in whole.items("taskDefinitionList"):
        name = str(value.get("name") or "") if isinstance(value, dict) else ""
        inner = report.within(task=name)
        if not name.strip():
            inner.gap("taskDefinitionList", "a task has no name")
            continue
        tasks.append(_task(name, Fields(value, inner), inner, needs))
    known = {task.code for task in tasks}
    for code in dict.fromkeys([*needs, *(one for before in needs.values() for one in before)]):
        if code not in known:
            report.gap(
                _RELATION_KEYS[0], f"leads to the task with code {code[:40]}, which the file does not have"
            )
    return tuple(tasks)


def _task(name: str, fields: Fields, report: Reporter, needs: dict[str, list[str]]) -> SourceTask:
    code = fields.text("code")
    fields.skip("name", "taskParamList", "taskParamMap")
    params = Fields(fields.any("taskParams"), report)
    environment = fields.text("environmentCode")
    group = fields.number("taskGroupId")
    if fields.word("taskExecuteType") == "STREAM":
        report.gap("taskExecuteType", "a task that never ends has no equivalent")
    is_limited = fields.word("timeoutFlag") == "OPEN"
    found = SourceTask(
        name=name,
        kind=fields.word("taskType"),
        report=report,
        fields=params,
        code=code,
        description=fields.text("description"),
        needs=tuple(needs.get(code, ())),
        disabled=fields.word("flag") == "NO",
        priority=fields.text("taskPriority"),
        worker_group=fields.text("workerGroup"),
        environment="" if environment in _NO_ENVIRONMENT else f"environment_{environment}",
        pool=f"task_group_{group}" if group > 0 else "",
        cache=fields.word("isCache") == "YES",
        delay_min=max(fields.number("delayTime"), 0),
        retries=max(fields.number("failRetryTimes"), 0),
        retry_interval_min=max(fields.number("failRetryInterval"), 0),
        timeout_min=max(fields.number("timeout"), 0) if is_limited else 0,
        timeout_strategy=fields.word("timeoutNotifyStrategy"),
        params=read_properties(params, "localParams"),
    )
    fields.skip(*_BOOKKEEPING, "timeout", "resourceIds")
    fields.note_rest()
    return found


def _relations(whole: Fields) -> dict[str, list[str]]:
    """Return the codes of the upstreams of each task by its code; 0 stands for the beginning."""
    needs: dict[str, list[str]] = {}
    for one in whole.maps(*_RELATION_KEYS):
        before, after = one.text("preTaskCode"), one.text("postTaskCode")
        upstreams = needs.setdefault(after, [])
        if before not in ("", "0", *upstreams):
            upstreams.append(before)
    return needs


def _schedule(fields: Fields) -> SourceSchedule:
    environment = fields.text("environmentCode")
    if fields.word("warningType") not in ("", "NONE"):
        fields.report.note(
            fields.path("warningType"), "has no equivalent as it stands; write alerts into the workflow"
        )
    found = SourceSchedule(
        cron=fields.text("crontab"),
        timezone=fields.text("timezoneId"),
        start=fields.text("startTime"),
        end=fields.text("endTime"),
        failure_strategy=fields.text("failureStrategy"),
        priority=fields.text("workflowInstancePriority", "processInstancePriority"),
        worker_group=fields.text("workerGroup"),
        environment="" if environment in _NO_ENVIRONMENT else f"environment_{environment}",
        online=fields.word("releaseState") != "OFFLINE",
    )
    fields.skip(*_BOOKKEEPING, "tenantCode")
    fields.note_rest()
    return found


def read_properties(fields: Fields, *names: str) -> tuple[Property, ...]:
    """Return the parameters in the first of these fields that holds any."""
    for name in names:
        if found := fields.maps(name):
            return tuple(one for one in map(_property, found) if one is not None)
    return ()


def _property(fields: Fields) -> Property | None:
    name = fields.text("prop").strip()
    if not name:
        fields.report.gap(fields.path("prop"), "is missing: a parameter has a name")
        return None
    direction = fields.word("direct") or "IN"
    if direction not in ("IN", "OUT"):
        fields.report.gap(fields.path("direct"), f"'{direction[:20]}' is neither IN nor OUT")
    value = fields.any("value")
    kind = fields.word("type") or "VARCHAR"
    return Property(name=name, direction=direction, kind=kind, value="" if value is None else value)


def codes_of(workflows: Sequence[SourceWorkflow]) -> dict[str, str]:
    """Return the names of workflows by their codes."""
    return {one.code: one.name for one in workflows if one.code}
