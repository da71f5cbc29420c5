"""Owns the task types that the master decides, on their way in: branches, waiting, children."""

from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.importing import naming
from orchestrator.importing.context import Context, Converted
from orchestrator.importing.fields import Fields
from orchestrator.importing.switch_expressions import NotTranslatable, convert_condition

_WINDOWS = {
    "CURRENTHOUR": "current_hour", "LAST1HOUR": "last_1_hour", "LAST2HOURS": "last_2_hours",
    "LAST3HOURS": "last_3_hours", "LAST24HOURS": "last_24_hours", "TODAY": "today",
    "LAST1DAYS": "last_1_day", "LAST2DAYS": "last_2_days", "LAST3DAYS": "last_3_days",
    "LAST7DAYS": "last_7_days", "THISWEEK": "this_week", "LASTWEEK": "last_week",
    "LASTMONDAY": "last_monday", "LASTTUESDAY": "last_tuesday", "LASTWEDNESDAY": "last_wednesday",
    "LASTTHURSDAY": "last_thursday", "LASTFRIDAY": "last_friday", "LASTSATURDAY": "last_saturday",
    "LASTSUNDAY": "last_sunday", "THISMONTH": "this_month", "LASTMONTH": "last_month",
    "LASTMONTHBEGIN": "last_month_begin", "LASTMONTHEND": "last_month_end",
}  # fmt: skip
_NUMBERS = {"ONE": "1", "TWO": "2", "THREE": "3", "SEVEN": "7", "TWENTYFOUR": "24"}
_WHOLE_WORKFLOW = ("", "0", "-1")


def switch(context: Context) -> Converted:
    """Return a switch: its conditions as CEL, in their order."""
    fields = context.task.fields
    result = fields.inner("switchResult")
    cases, branches = [], []
    for one in result.maps("dependTaskList"):
        target = _task(context, one, "nextNode")
        cases.append({"when": _condition(context, one), "then": target})
        branches += target
    default = _task(context, result, "nextNode", needed=False)
    if not cases:
        context.report.gap(result.path("dependTaskList"), "has no case with a condition; needs at least one")
    values: dict[str, Any] = {"type": "switch", "cases": cases}
    if default:
        values["default"] = default
    return Converted(values=values, branches=[*branches, *default])


def conditions(context: Context) -> Converted:
    """Return a conditions task: groups of `task is success|failure`, with a branch for each outcome."""
    fields = context.task.fields
    group, needs = _group(context, fields.inner("dependence"), _condition_item)
    result = fields.inner("conditionResult")
    success, failure = (_tasks(context, result, name) for name in ("successNode", "failedNode"))
    values = {"type": "conditions", **group, "success": success, "failure": failure}
    return Converted(values=values, needs=needs, branches=[*success, *failure])


def blocking(context: Context) -> Converted:
    """Return conditions, an approval in the branch that blocked, and a task behind both under the old name.

    There a blocked workflow ended; here it waits for `runs signal`, and `runs stop` ends it.
    """
    fields, name = context.task.fields, context.names.tasks[context.task.name]
    group, needs = _group(context, fields.inner("dependence"), _condition_item)
    opportunity = fields.word("blockingOpportunity", "blockingCondition")
    outcome = {"BLOCKINGONSUCCESS": "success", "BLOCKINGONFAILED": "failure"}.get(opportunity)
    if outcome is None:
        context.report.gap("blockingOpportunity", "must be BlockingOnSuccess or BlockingOnFailed")
    if fields.any("isAlertWhenBlocking", "alertWhenBlocking"):
        context.report.note("isAlertWhenBlocking", "there is no alert for a run that waits for an approval")
    context.report.note(
        "taskType",
        f"becomes conditions, an approval and '{name}': the run waits there instead of ending as blocked",
    )
    check, ask = _added_name(context, f"{name}_conditions"), _added_name(context, f"{name}_approval")
    conditions_task = {
        "name": check,
        "type": "conditions",
        "needs": needs,
        **group,
        outcome or "failure": [ask],
    }
    approval = {"name": ask, "type": "approval", "needs": [check], "message": f"'{name}' blocks this run"}
    return Converted(values={"type": "noop"}, needs=[check, ask], before=[conditions_task, approval])


def sub_workflow(context: Context) -> Converted:
    """Return a sub-workflow task, which names its child; a code that no file of the import has is a gap."""
    fields = context.task.fields
    name = _workflow(
        context, fields, "processDefinitionCode", "workflowDefinitionCode", "processDefinitionId"
    )
    return Converted(values={"type": "sub_workflow", "workflow": name})


def dependent(context: Context) -> Converted:
    """Return a dependent task: groups of other workflows' or tasks' runs in a window."""
    dependence = context.task.fields.inner("dependence")
    group, _ = _group(context, dependence, _dependency)
    values: dict[str, Any] = {"type": "dependent", **group}
    if interval := dependence.number("checkInterval"):
        values["check_every"] = f"{interval}s"
    waiting = dependence.number("failureWaitingTime")
    if dependence.word("failurePolicy") == "DEPENDENT_FAILURE_WAITING":
        values |= {"on_missing": "wait", "wait": f"{waiting}m"}
        context.report.note(
            dependence.path("failureWaitingTime"),
            "limits the wait for a run that is missing; one that has failed is a failure at once",
        )
    return Converted(values=values)


LOGIC_TYPES: Mapping[str, Callable[[Context], Converted]] = {
    "SWITCH": switch,
    "CONDITIONS": conditions,
    "BLOCKING": blocking,
    "SUB_PROCESS": sub_workflow,
    "SUB_WORKFLOW": sub_workflow,
    "DEPENDENT": dependent,
}


def _condition(context: Context, one: Fields) -> str:
    try:
        return convert_condition(one.text("condition"), context.known)
    except NotTranslatable as error:
        context.report.gap(one.path("condition"), str(error))
        return "false"


def _task(context: Context, fields: Fields, name: str, *, needed: bool = True) -> list[str]:
    """Return the one branch that a field names, by name or by code; some versions write a list of one."""
    found = _tasks(context, fields, name)
    if needed and not found:
        context.report.gap(fields.path(name), "names no task")
    return found


def _tasks(context: Context, fields: Fields, name: str) -> list[str]:
    value = fields.any(name)
    texts = [str(one) for one in (value if isinstance(value, list) else [value])]
    wanted = [text for text in texts if text not in ("", "None", "0")]
    found = [_task_name(context, text, fields.path(name)) for text in wanted]
    return list(dict.fromkeys(one for one in found if one is not None))


def _task_name(context: Context, text: str, path: str) -> str | None:
    if text not in context.names.tasks:
        context.report.gap(path, f"there is no task '{text[:80]}' in this workflow")
    return context.names.tasks.get(text)


def _added_name(context: Context, name: str) -> str:
    taken, number, free = set(context.names.tasks.values()), 1, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free


def _group(
    context: Context,
    fields: Fields,
    item: Callable[[Context, Fields], tuple[dict[str, Any], list[str]]],
) -> tuple[dict[str, Any], list[str]]:
    """Return the groups of a dependence as nested `all` and `any`, and the tasks that they look at."""
    members, needs = [], []
    for inner in fields.maps("dependTaskList"):
        items = [item(context, one) for one in inner.maps("dependItemList")]
        parts = [part for part, _ in items if part]
        needs += [need for _, wanted in items for need in wanted]
        if parts:
            members.append({_relation(inner): parts})
        inner.note_rest()
    if not members:
        context.report.gap(fields.path("dependTaskList"), "names nothing to look at")
    relation = _relation(fields)
    only = members[0] if len(members) == 1 else {relation: members}
    return only, list(dict.fromkeys(needs))


def _relation(fields: Fields) -> str:
    relation = fields.word("relation") or "AND"
    if relation not in ("AND", "OR"):
        fields.report.gap(fields.path("relation"), f"'{relation[:20]}' is neither AND nor OR")
    return "any" if relation == "OR" else "all"


def _condition_item(context: Context, one: Fields) -> tuple[dict[str, Any], list[str]]:
    found = _tasks(context, one, "depTaskCode")
    status = one.word("status")
    if status not in ("SUCCESS", "FAILURE"):
        context.report.gap(one.path("status"), f"'{status[:20]}' is neither SUCCESS nor FAILURE")
    if not found:
        context.report.gap(one.path("depTaskCode"), "names no task")
        return {}, []
    return {"task": found[0], "is": status.lower()}, found


def _dependency(context: Context, one: Fields) -> tuple[dict[str, Any], list[str]]:
    one.skip("projectCode", "cycle", "dependentType", "projectName")
    found = {"workflow": _workflow(context, one, "definitionCode")}
    task = one.text("depTaskCode")
    if task not in _WHOLE_WORKFLOW:
        found["task"] = context.names.foreign_tasks.get(task, task)
        if task.isdecimal() and task not in context.names.foreign_tasks:
            context.report.gap(
                one.path("depTaskCode"), f"no file of this import has the task with code {task}"
            )
    word = one.word("dateValue") or "TODAY"
    window = _WINDOWS.get(_compact(word))
    if window is None:
        context.report.gap(one.path("dateValue"), f"there is no window '{word[:40]}'")
    if window == "last_24_hours":
        context.report.note(
            one.path("dateValue"),
            "the 24 hours before the planned one; there from 01:00 of the day before on",
        )
    if one.any("parameterPassing"):
        context.report.note(
            one.path("parameterPassing"), "parameters of the other workflow are not passed on"
        )
    one.note_rest()
    return {**found, "window": window or "today"}, []


def _compact(word: str) -> str:
    """`LAST_TWENTY_FOUR_HOURS` and `last24Hours` are two spellings of one window."""
    parts = word.replace("TWENTY_FOUR", "TWENTYFOUR").split("_")
    return "".join(_NUMBERS.get(part, part) for part in parts)


def _workflow(context: Context, fields: Fields, *names: str) -> str:
    code = fields.text(*names)
    if code in context.names.workflows:
        return context.names.workflows[code]
    path = fields.path(names[0])
    if code in ("", "0"):
        context.report.gap(path, "names no workflow")
    elif not code.isdecimal():
        name = naming.workflow_name(code)
        context.report.note(path, f"the workflow '{name}' is not part of this import; deploy it, too")
        return name
    else:
        remedy = f"import its file in the same command, or give --workflow {code[:40]}=NAME"
        context.report.gap(path, f"no file of this import has the workflow with code {code[:40]}; {remedy}")
    return "missing"
