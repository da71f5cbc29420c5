"""Owns reading the YAML of DolphinScheduler's Python SDK: `workflow`, and `tasks` with `task_type` and `deps`."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.authoring.document import plain, read_documents
from orchestrator.errors import DefinitionError
from orchestrator.importing.exported_json import read_properties
from orchestrator.importing.fields import Fields
from orchestrator.importing.findings import Reporter
from orchestrator.importing.sdk_tokens import Outside, typed_parts, with_outside
from orchestrator.importing.source import Property, SourceSchedule, SourceTask, SourceWorkflow

_KINDS = {"CONDITION": "CONDITIONS", "SUBWORKFLOW": "SUB_PROCESS", "SUBPROCESS": "SUB_PROCESS"}
_CHANGES_DATA = re.compile(r"(?:^|.* )(?:insert|delete|drop|update|truncate|alter|create) ", re.IGNORECASE)
_FUNCTION = re.compile(r"def (\w+)\(")
_DEFAULT_WAIT_MS = 60_000
_DEFAULT_ZONE = "Asia/Shanghai"


def read_sdk(text: str, outside: Outside, report: Reporter) -> list[SourceWorkflow]:
    """Return the workflows of a YAML file that the SDK takes; faults go to the report."""
    try:
        documents = [one for one in read_documents(text, report.place.file) if one is not None]
    except DefinitionError as error:
        for fault in error.faults:
            report.within(line=fault.line).gap(None, fault.message)
        return []
    if not documents:
        report.gap(None, "holds no workflow")
    return [found for one in documents if (found := _workflow(one, outside, report)) is not None]


def _workflow(document: Any, outside: Outside, report: Reporter) -> SourceWorkflow | None:
    if not (isinstance(document, dict) and isinstance(document.get("workflow"), dict)):
        report.gap(
            None, "is no workflow as DolphinScheduler's Python SDK takes it: a map with workflow and tasks"
        )
        return None
    raw = document["workflow"]
    inner = report.within(workflow=str(raw.get("name") or ""), line=getattr(raw, "line", None))
    fields = Fields(with_outside(plain(raw), outside, inner), inner)
    name = fields.text("name")
    if not name.strip():
        inner.gap("name", "is missing")
    found = SourceWorkflow(
        name=name,
        report=inner,
        description=fields.text("description"),
        execution=fields.text("execution_type"),
        worker_group=fields.text("worker_group"),
        timeout_min=max(fields.number("timeout"), 0),
        params=tuple(Property(name=key, value=value) for key, value in _map(fields, "param").items()),
        tasks=_tasks(document, outside, inner),
        schedule=_schedule(fields),
    )
    _note_workflow(fields, inner)
    for key in document:
        if key not in ("workflow", "tasks"):
            inner.note(str(key), "has no equivalent and is left out")
    return found


def _note_workflow(fields: Fields, report: Reporter) -> None:
    fields.skip("user", "project", "warning_group_id", "resource_list")
    if fields.any("run"):
        report.note("run", "an import runs nothing; use orchestrator submit")
    if fields.any("resource_plugin") is not None:
        report.gap(
            "resource_plugin", 'scripts come from a resource plug-in; put their text in by $FILE{"path"}'
        )
    if fields.word("release_state") == "OFFLINE":
        report.note("release_state", "is offline there; deploy it with --offline if it shall stay so")
    if "tenant" in fields:
        fields.skip("tenant")
        report.note("tenant", "has no equivalent: tasks run as the user of their worker")
    if fields.word("warning_type") not in ("", "NONE"):
        report.note("warning_type", "has no equivalent as it stands; write alerts into the workflow")
    fields.note_rest()


def _schedule(fields: Fields) -> SourceSchedule | None:
    cron = fields.text("schedule")
    start, end, zone = (fields.text(name) for name in ("start_time", "end_time", "timezone"))
    if cron and not zone:
        message = (
            f"is not in the file: UTC is taken, the SDK's own default is {_DEFAULT_ZONE}; write timezone"
        )
        fields.report.note("timezone", message)
    return SourceSchedule(cron=cron, timezone=zone, start=start, end=end) if cron else None


def _map(fields: Fields, name: str) -> Mapping[str, Any]:
    value = fields.any(name)
    if value is not None and not isinstance(value, dict):
        fields.report.gap(fields.path(name), "must be a map")
    return value if isinstance(value, dict) else {}


def _tasks(document: Mapping[str, Any], outside: Outside, report: Reporter) -> tuple[SourceTask, ...]:
    written = document.get("tasks")
    if not isinstance(written, list):
        report.gap("tasks", "is missing, or no list of tasks")
        return ()
    found = []
    for raw in written:
        if not (isinstance(raw, dict) and isinstance(raw.get("name"), str) and raw["name"].strip()):
            report.within(line=getattr(raw, "line", None)).gap(
                "tasks", "a task is a map with name and task_type"
            )
            continue
        inner = report.within(task=raw["name"], line=getattr(raw, "line", None))
        found.append(_task(Fields(with_outside(plain(raw), outside, inner), inner), inner))
    names = {task.name for task in found}
    for task in found:
        for need in task.needs:
            if need not in names:
                task.report.gap("deps", f"there is no task '{need[:80]}'")
    return tuple(found)


def _task(fields: Fields, report: Reporter) -> SourceTask:
    word = fields.word("task_type")
    kind = _KINDS.get(word, word)
    is_limited = fields.word("timeout_flag") != "CLOSE"
    if fields.any("resource_plugin") is not None:
        report.gap(
            "resource_plugin", 'the script comes from a resource plug-in; put its text in by $FILE{"path"}'
        )
    retries = max(fields.number("fail_retry_times"), 0)
    interval = max(fields.number("fail_retry_interval"), 0) if "fail_retry_interval" in fields else 1
    inner = _READERS[kind](fields) if kind in _READERS else {}
    for name, ours in (("resource_list", "resourceList"), ("wait_start_timeout", "waitStartTimeout")):
        inner[ours] = fields.any(name)
    found = SourceTask(
        name=fields.text("name"),
        kind=kind,
        report=report,
        fields=Fields(inner, report),
        description=fields.text("description"),
        needs=tuple(_texts(fields, "deps")),
        disabled=fields.word("flag") == "NO",
        priority=fields.text("task_priority"),
        worker_group=fields.text("worker_group"),
        environment=fields.text("environment_name"),
        cache=fields.word("is_cache") in ("YES", "TRUE"),
        delay_min=max(fields.number("delay_time"), 0),
        retries=retries,
        retry_interval_min=interval,
        timeout_min=max(fields.number("timeout"), 0) if is_limited else 0,
        timeout_strategy=fields.word("timeout_notify_strategy"),
        params=_params(fields),
    )
    if kind in _READERS:  # of a type that is not known, nothing is known
        fields.note_rest()
    return found


def _params(fields: Fields) -> tuple[Property, ...]:
    found = list(read_properties(fields, "local_params"))
    for name, direction in (("input_params", "IN"), ("output_params", "OUT")):
        for key, value in _map(fields, name).items():
            kind, inner = typed_parts(value)
            kind = "INTEGER" if type(inner) is int else "FLOAT" if type(inner) is float else kind
            inner = "" if inner is None else inner
            found.append(Property(name=key, direction=direction, kind=kind, value=inner))
    return tuple(found)


def _texts(fields: Fields, name: str) -> list[str]:
    return [str(one) for one in fields.items(name)]


def _shell(fields: Fields) -> dict[str, Any]:
    return {"rawScript": fields.any("command")}


def _python(fields: Fields) -> dict[str, Any]:
    """The SDK calls the function that a definition begins with."""
    script = fields.text("definition")
    function = _FUNCTION.match(script)
    return {"rawScript": f"{script.rstrip()}\n{function[1]}()" if function else script}


def _sql(fields: Fields) -> dict[str, Any]:
    sql = fields.text("sql")
    kind = fields.text("sql_type") or ("1" if _CHANGES_DATA.match(sql) else "0")
    return {
        **_source(fields),
        "sql": sql,
        "sqlType": kind,
        "preStatements": fields.any("pre_statements"),
        "postStatements": fields.any("post_statements"),
        "displayRows": fields.any("display_rows"),
    }


def _procedure(fields: Fields) -> dict[str, Any]:
    return {**_source(fields), "method": fields.any("method")}


def _source(fields: Fields) -> dict[str, Any]:
    return {"datasource": fields.any("datasource_name"), "type": fields.any("datasource_type")}


def _http(fields: Fields) -> dict[str, Any]:
    params = fields.any("http_params")
    if isinstance(params, dict):
        params = [
            {"prop": key, "httpParametersType": "PARAMETER", "value": one} for key, one in params.items()
        ]
    waits = {
        ours: fields.number(name) or _DEFAULT_WAIT_MS
        for name, ours in (("connect_timeout", "connectTimeout"), ("socket_timeout", "socketTimeout"))
    }
    return {
        "url": fields.any("url"),
        "httpMethod": fields.any("http_method"),
        "httpParams": params,
        "httpBody": fields.any("http_body"),
        "httpCheckCondition": fields.any("http_check_condition"),
        "condition": fields.any("condition"),
        **waits,
    }


def _sub_workflow(fields: Fields) -> dict[str, Any]:
    return {"processDefinitionCode": fields.any("workflow_name", "process_definition_name")}


def _switch(fields: Fields) -> dict[str, Any]:
    cases, default = [], None
    for one in fields.maps("condition"):
        condition = one.any("condition")
        if condition is None:
            default = one.any("task")
        else:
            cases.append({"condition": condition, "nextNode": one.any("task")})
    return {"switchResult": {"dependTaskList": cases, "nextNode": default}}


def _conditions(fields: Fields) -> dict[str, Any]:
    def item(one: Fields) -> dict[str, Any]:
        flag = one.any("flag")
        is_success = flag is True or (isinstance(flag, str) and flag.lower() not in ("false", ""))
        return {"depTaskCode": one.any("task"), "status": "SUCCESS" if is_success else "FAILURE"}

    branches = {"successNode": [fields.any("success_task")], "failedNode": [fields.any("failed_task")]}
    return {"dependence": _groups(fields, item), "conditionResult": branches}


def _dependent(fields: Fields) -> dict[str, Any]:
    def item(one: Fields) -> dict[str, Any]:
        return {
            "definitionCode": one.any("workflow_name", "process_definition_name"),
            "depTaskCode": one.any("dependent_task_name"),
            "dateValue": one.any("dependent_date"),
            "projectName": one.any("project_name"),
        }

    fields.skip("denpendence", "dependence")  # the SDK's own examples hold the first, empty
    return {"dependence": _groups(fields, item)}


def _groups(fields: Fields, item: Callable[[Fields], dict[str, Any]]) -> dict[str, Any]:
    inner = [
        {"relation": one.any("op"), "dependItemList": [item(part) for part in one.maps("groups")]}
        for one in fields.maps("groups")
    ]
    return {"relation": fields.any("op"), "dependTaskList": inner}


_READERS: Mapping[str, Callable[[Fields], dict[str, Any]]] = {
    "SHELL": _shell,
    "PYTHON": _python,
    "SQL": _sql,
    "PROCEDURE": _procedure,
    "HTTP": _http,
    "SUB_PROCESS": _sub_workflow,
    "SWITCH": _switch,
    "CONDITIONS": _conditions,
    "DEPENDENT": _dependent,
}
