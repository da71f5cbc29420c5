"""What the UI exports comes in, type by type; what has no equivalent is named with its place."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator.importing.dolphinscheduler import import_files
from tests.unit.importing.builders import (
    export,
    gap_of,
    import_json,
    noted,
    parameter,
    shell,
    task,
    tasks_of,
    written,
)

GO_ON = "set +e  # as in DolphinScheduler: the last command decides"


def items(*members: tuple[int, str], relation: str = "AND") -> dict[str, Any]:
    """Return a dependence on tasks of the same workflow."""
    found = [{"depTaskCode": code, "status": status} for code, status in members]
    return {"relation": "AND", "dependTaskList": [{"relation": relation, "dependItemList": found}]}


def depends(**item: Any) -> dict[str, Any]:
    """Return a dependence on another workflow."""
    return {"relation": "AND", "dependTaskList": [{"relation": "OR", "dependItemList": [item]}]}


def test_fields_that_every_task_has(tmp_path: Path) -> None:
    """Minutes become durations, codes names, words ours; what is a default is not written."""
    one = shell(
        1, "echo 1\r\necho 2", flag="NO", taskPriority="HIGHEST", workerGroup="spark gp", environmentCode=77,
        failRetryTimes="2", failRetryInterval="5", timeoutFlag="OPEN", timeoutNotifyStrategy="FAILED", timeout=30,
        delayTime="3", taskGroupId=4, isCache="YES", description="first", cpuQuota=-1,
    )  # fmt: skip
    found = import_json(tmp_path, export([one, shell(2, workerGroup="default")], [(0, 1), (1, 2)]))

    assert tasks_of(found) == {
        "t1": {
            "name": "t1", "type": "shell", "description": "first", "run": f"{GO_ON}\necho 1\necho 2",
            "disabled": True,
            "priority": "highest", "retries": 2, "retry_delay": "5m", "timeout": "30m", "delay": "3m",
            "worker_group": "spark_gp", "environment": "environment_77", "pool": "task_group_4", "cache": True,
        },
        "t2": {"name": "t2", "type": "shell", "needs": ["t1"], "run": "true"},
    }  # fmt: skip
    assert noted(found) == {("t1", "environment"), ("t1", "taskGroupId")}


def test_timeout_that_only_warns(tmp_path: Path) -> None:
    """A strategy WARN lets the task go on; a closed flag means no timeout at all."""
    warns = shell(1, timeoutFlag="OPEN", timeoutNotifyStrategy="WARN", timeout=10)
    found = import_json(tmp_path, export([warns, shell(2, timeoutFlag="CLOSE", timeout=10)]))

    assert tasks_of(found)["t1"]["on_timeout"] == "warn"
    assert "timeout" not in tasks_of(found)["t2"]


def test_workflow_and_its_schedule(tmp_path: Path) -> None:
    """Failure strategy and priority of the schedule become the workflow's, global parameters its params."""
    schedule = {
        "crontab": "0 0 2 * * ? *", "timezoneId": "Europe/Paris", "startTime": "2026-01-01 00:00:00",
        "endTime": "2032-01-01 00:00:00", "failureStrategy": "END", "processInstancePriority": "HIGH",
        "releaseState": "ONLINE", "warningType": "NONE",
    }  # fmt: skip
    params = [
        parameter("n", "1", kind="INTEGER"),
        parameter("s", "1"),
        parameter("day", "${system.biz.date}"),
        parameter("list", "[1, 2]", kind="LIST"),
        parameter("both", "${s}-x"),
    ]
    found = import_json(
        tmp_path,
        export(
            [shell(1)], schedule=schedule, globalParamList=params, timeout=90, executionType="SERIAL_WAIT",
            description="Every night",
        ),
    )  # fmt: skip

    assert written(found)["workflow"] == {
        "name": "flow", "description": "Every night", "timezone": "Europe/Paris",
        "params": {"n": 1, "s": "1", "day": "$[yyyyMMdd-1]", "list": [1, 2], "both": "1-x"},
        "timeout": "90m", "execution": "serial_wait", "on_failure": "end", "priority": "high",
        "schedules": [{"cron": "0 2 * * *", "start": "2026-01-01T00:00:00", "end": "2032-01-01T00:00:00"}],
    }  # fmt: skip
    assert noted(found) == {(None, "globalParams.both")}


def test_schedule_that_is_offline_is_left_out(tmp_path: Path) -> None:
    """What does not fire there does not begin to fire here, and that is said."""
    schedule = {"crontab": "0 0 2 * * ?", "releaseState": "OFFLINE"}
    found = import_json(tmp_path, export([shell(1)], schedule=schedule))

    assert "schedules" not in written(found)["workflow"]
    assert noted(found) == {(None, "schedule.releaseState")}


def test_shell_with_parameters_and_an_output(tmp_path: Path) -> None:
    """Local parameters become params; what the script sets by setValue becomes a declared output."""
    one = shell(
        1,
        "echo '${day}' ${system.datetime}\necho '${setValue(rows=3)}'",
        localParams=[
            parameter("day", "$[yyyy-MM-dd-1]"),
            parameter("rows", direct="OUT", kind="INTEGER"),
            parameter("never", direct="OUT"),
        ],
    )
    found = import_json(tmp_path, export([one]))

    assert tasks_of(found)["t1"] == {
        "name": "t1", "type": "shell",
        "params": {"day": "$[yyyy-MM-dd-1]", "system_datetime": "$[yyyyMMddHHmmss]"},
        "run": f"{GO_ON}\n" "echo ''\"${day}\"'' ${system_datetime}\necho '${setValue(rows=3)}'",
        "outputs": {"rows": "integer"},
    }  # fmt: skip
    assert noted(found) == {("t1", "localParams"), (None, "timezone")}


def test_own_parameter_that_the_script_also_sets(tmp_path: Path) -> None:
    """The value is given under another name, since params of a task do not see each other."""
    found = import_json(tmp_path, export([shell(1, "x=2; echo ${x}", localParams=[parameter("x", "1")])]))

    assert tasks_of(found)["t1"]["params"] == {"given_x": "1", "x": "1"}
    assert tasks_of(found)["t1"]["run"] == f"{GO_ON}\nx=2; echo ${{given_x}}"


def test_python_gets_what_it_refers_to(tmp_path: Path) -> None:
    """A script sees its own params only, so each parameter is handed in; names that Python needs are renamed."""
    one = task(1, "PYTHON", rawScript='print("${region}", "${id}")', localParams=[parameter("id", "7")])
    found = import_json(tmp_path, export([one], globalParams='[{"prop": "region", "value": "eu"}]'))

    assert tasks_of(found)["t1"]["params"] == {"region": "${region}", "p_id": "7"}
    assert "str(p_id)" in tasks_of(found)["t1"]["script"]


def test_sql_with_statements_around_it(tmp_path: Path) -> None:
    """Statements before and after join in, parameters are bound, the first row's columns are outputs."""
    one = task(
        1, "SQL", type="MYSQL", datasource=3, sql="select n from t where d = '${d}';", sqlType="0",
        preStatements=["set a = 1"], postStatements='["drop table x"]', displayRows=10,
        localParams=[parameter("d", "$[yyyyMMdd]"), parameter("n", direct="OUT", kind="INTEGER")],
    )  # fmt: skip
    found = import_json(tmp_path, export([one]))

    assert tasks_of(found)["t1"] == {
        "name": "t1", "type": "sql", "params": {"d": "$[yyyyMMdd]"}, "connection": "datasource_3",
        "sql": "set a = 1;\nselect n from t where d = ${d};\ndrop table x", "fetch": "first",
        "outputs": {"n": "integer"},
    }  # fmt: skip
    assert noted(found) == {("t1", "datasource"), (None, "timezone")}


def test_procedure_becomes_a_call(tmp_path: Path) -> None:
    """A stored procedure without OUT parameters is SQL."""
    one = task(
        1, "PROCEDURE", type="MYSQL", datasource=3, method="{call p(${n})}", localParams=[parameter("n", "1")]
    )
    found = tasks_of(import_json(tmp_path, export([one])))["t1"]

    assert (found["sql"], found["fetch"]) == ("call p(${n})", "none")


def test_http_with_everything(tmp_path: Path) -> None:
    """Parameters go to query and headers, the two waits become one timeout, the check the expected status."""
    one = task(
        1, "HTTP", url="http://x/${day}", httpMethod="POST", httpBody='{"a": "${day}"}', connectTimeout=1000,
        socketTimeout="1500", httpCheckCondition="STATUS_CODE_CUSTOM", condition="201",
        httpParams=[
            {"prop": "A", "httpParametersType": "HEADERS", "value": "b"},
            {"prop": "q", "httpParametersType": "PARAMETER", "value": "$[yyyyMMdd]"},
        ],
        localParams=[parameter("day", "1")],
    )  # fmt: skip
    found = import_json(tmp_path, export([one]))

    assert tasks_of(found)["t1"] == {
        "name": "t1", "type": "http", "params": {"day": "1"}, "url": "http://x/${day}", "method": "POST",
        "headers": {"A": "b", "Content-Type": "application/json"}, "query": {"q": "$[yyyyMMdd]"},
        "body": '{"a": "${day}"}', "expect_status": [201], "timeout": "3s",
    }  # fmt: skip


def test_http_body_of_parameters_and_checks_of_the_body(tmp_path: Path) -> None:
    """BODY parameters are JSON; a text that must not occur becomes a check."""
    params = [{"prop": "a", "httpParametersType": "BODY", "value": "1"}]
    without = task(
        1, "HTTP", url="u", httpParams=params, httpCheckCondition="BODY_NOT_CONTAINS", condition='"bad"'
    )
    having = task(2, "HTTP", url="u", httpCheckCondition="BODY_CONTAINS", condition="ok")
    found = tasks_of(import_json(tmp_path, export([without, having])))

    assert (found["t1"]["json"], found["t1"]["check"]) == ({"a": "1"}, '!body.contains("\\"bad\\"")')
    assert found["t2"]["expect_body"] == "ok"


def test_switch_goes_by_names(tmp_path: Path) -> None:
    """Codes of branches become names, a text is compared with a number as a number."""
    result = {"dependTaskList": [{"condition": "${n} == 1", "nextNode": 2}], "nextNode": 3}
    tasks = [task(1, "SWITCH", switchResult=result, localParams=[]), shell(2), shell(3)]
    found = tasks_of(
        import_json(tmp_path, export(tasks, [(1, 2), (1, 3)], globalParamList=[parameter("n", "1")]))
    )

    assert found["t1"]["cases"] == [{"when": "double(${n}) == 1", "then": ["t2"]}]
    assert found["t1"]["default"] == ["t3"]
    assert found["t2"]["needs"] == ["t1"]


def test_conditions_go_by_names(tmp_path: Path) -> None:
    """Groups stay groups, and tasks that are looked at are upstreams even where the graph forgot the edge."""
    result = {"successNode": [3], "failedNode": [4]}
    dependence = items((1, "SUCCESS"), (2, "FAILURE"), relation="OR")
    tasks = [shell(1), shell(2), shell(3), shell(4)]
    tasks.append(task(5, "CONDITIONS", dependence=dependence, conditionResult=result))
    found = tasks_of(import_json(tmp_path, export(tasks, [(1, 5), (5, 3)])))

    assert found["t5"] == {
        "name": "t5", "type": "conditions", "needs": ["t1", "t2"],
        "any": [{"task": "t1", "is": "success"}, {"task": "t2", "is": "failure"}],
        "success": ["t3"], "failure": ["t4"],
    }  # fmt: skip
    assert found["t4"]["needs"] == ["t5"]


def test_blocking_becomes_conditions_and_an_approval(tmp_path: Path) -> None:
    """Where the run blocked, it asks; what came behind the blocking task comes behind both."""
    gate = task(
        2, "BLOCKING", "gate", blockingOpportunity="BlockingOnFailed", dependence=items((1, "SUCCESS"))
    )
    found = import_json(tmp_path, export([shell(1), gate, shell(3)], [(1, 2), (2, 3)]))

    tasks = tasks_of(found)
    assert tasks["gate_conditions"] == {
        "name": "gate_conditions", "type": "conditions", "needs": ["t1"],
        "all": [{"task": "t1", "is": "success"}], "failure": ["gate_approval"],
    }  # fmt: skip
    assert tasks["gate_approval"]["needs"] == ["gate_conditions"]
    assert tasks["gate"]["needs"] == ["gate_conditions", "gate_approval"]
    assert tasks["t3"]["needs"] == ["gate"]
    assert noted(found) == {("gate", "taskType")}


def test_child_workflow_is_found_by_its_code(tmp_path: Path) -> None:
    """A code means a workflow of the import, or one that the user names."""
    child = export([shell(1)], code=901) | {"processDefinition": {"name": "a child", "code": 901}}
    parent = export([task(1, "SUB_PROCESS", processDefinitionCode=901)])
    parent["taskDefinitionList"].append(task(2, "SUB_WORKFLOW", workflowDefinitionCode=902))
    found = import_json(tmp_path, child, parent, names={"902": "elsewhere"})

    assert [one["workflow"] for one in tasks_of(found).values()] == ["a_child", "elsewhere"]


def test_child_gives_its_parent_what_it_declares_to_give(tmp_path: Path) -> None:
    """A global parameter in the direction OUT is an output of the child, and a name that the parent knows."""
    rows = parameter("rows", direct="OUT", kind="INTEGER")
    child = export([shell(1, "echo '${setValue(rows=3)}'")], code=901, globalParamList=[rows])
    child["processDefinition"]["name"] = "child"
    parent = export([task(1, "SUB_PROCESS", processDefinitionCode=901), shell(2, "echo '${rows}'")], [(1, 2)])
    found = import_json(tmp_path, child, parent)

    assert written(found, 0)["workflow"] == {"name": "child", "outputs": {"rows": "${rows}"}}
    assert tasks_of(found)["t2"]["run"] == "echo ''\"${rows}\"''"


def test_shell_forms_that_saw_no_parameter_are_noted(tmp_path: Path) -> None:
    """`$x` was the shell's own, what nobody declares still is, and a value that was program is text."""
    script = "echo $x ${y} ${HOME} ${z:-1} ${code}"
    params = [parameter("x", "1"), parameter("code", "a; b")]
    found = import_json(tmp_path, export([shell(1, script)], globalParamList=params))

    messages = sorted(one.message[:30] for one in found.notes)
    assert messages == [
        "$x without braces was the shel",
        "${y} names no parameter of thi",
        "the value of 'code' holds char",
    ]
    assert tasks_of(found)["t1"]["run"] == script


def test_what_does_not_fit_a_logic_task_is_noted(tmp_path: Path) -> None:
    """Retries, a timeout and a pool belong to tasks that workers run; a group and an environment said nothing."""
    dependence = items((1, "SUCCESS"))
    one = task(
        2, "CONDITIONS", dependence=dependence, conditionResult={}, failRetryTimes=1, timeoutFlag="OPEN",
        timeout=5, taskGroupId=3, environmentCode=7, workerGroup="spark",
    )  # fmt: skip
    found = import_json(tmp_path, export([shell(1), one], [(1, 2)]))

    assert noted(found) == {("t2", "failRetryTimes"), ("t2", "timeout"), ("t2", "taskGroupId")}
    assert set(tasks_of(found)["t2"]) == {"name", "type", "needs", "all"}


def test_dependent_on_a_task_of_another_workflow(tmp_path: Path) -> None:
    """Codes of workflow and task become names, the window one of ours."""
    other = export([shell(77, name="load")], code=901) | {"processDefinition": {"name": "other", "code": 901}}
    dependence = depends(
        projectCode=1, definitionCode=901, depTaskCode=77, cycle="day", dateValue="last1Days"
    )
    dependence |= {
        "checkInterval": 20,
        "failurePolicy": "DEPENDENT_FAILURE_WAITING",
        "failureWaitingTime": 30,
    }
    found = import_json(tmp_path, other, export([task(1, "DEPENDENT", dependence=dependence)]))

    assert tasks_of(found)["t1"] == {
        "name": "t1", "type": "dependent", "any": [{"workflow": "other", "task": "load", "window": "last_1_day"}],
        "check_every": "20s", "on_missing": "wait", "wait": "30m",
    }  # fmt: skip


def test_newer_exports_call_the_workflow_a_workflow(tmp_path: Path) -> None:
    """Since 3.3 the keys speak of workflows instead of processes."""
    old = export([shell(1), shell(2)], [(1, 2)])
    new = {"workflowDefinition": old["processDefinition"], "taskDefinitionList": old["taskDefinitionList"]}
    new["workflowTaskRelationList"] = old["processTaskRelationList"]

    assert written(import_json(tmp_path, new)) == written(import_json(tmp_path, old))


@pytest.mark.parametrize(
    ("one", "field", "message"),
    [
        (task(1, "SPARK", mainClass="x"), "taskType", "SPARK has no equivalent"),
        (shell(1, taskExecuteType="STREAM"), "taskExecuteType", "never ends"),
        (shell(1, ""), "rawScript", "missing or empty"),
        (shell(1, "echo $[yyyyMMdd+x]"), "rawScript", "is not a time placeholder"),
        (shell(1, localParams=[parameter("f", kind="FILE")]), "localParams", "type FILE"),
        (shell(1, localParams=[parameter("f", "x", kind="INTEGER")]), "localParams", "does not fit its type"),
        (shell(1, localParams=[parameter("f", "$[nonsense]")]), "params.f", "is not a time placeholder"),
        (shell(1, failRetryTimes="many"), "failRetryTimes", "whole number"),
        (shell(1, taskPriority="URGENT"), "taskPriority", "no priority"),
        (task(1, "SQL", datasource=1, sql="select !{x}"), "sql", "pastes text"),
        (task(1, "SQL", sql="select 1"), "datasource", "is missing"),
        (task(1, "HTTP", url="u", httpCheckCondition="STATUS_CODE_CUSTOM", condition="x"), "condition", "status"),
        (task(1, "HTTP", url="u", httpMethod="BREW"), "httpMethod", "'BREW' is no method"),
        (task(1, "SUB_PROCESS", processDefinitionCode=5), "processDefinitionCode", "--workflow 5=NAME"),
        (task(1, "CONDITIONS", dependence={}), "dependence.dependTaskList", "names nothing"),
    ],
)  # fmt: skip
def test_what_cannot_be_converted_stops_with_its_place(
    tmp_path: Path, one: dict[str, Any], field: str, message: str
) -> None:
    """File, workflow, task and field stand in the message, and nothing is given out."""
    found = import_json(tmp_path, export([one]))

    place = found.gaps[0]
    assert (place.workflow, place.task, place.field) == ("flow", "t1", field)
    assert message in place.message
    assert place.file == str(tmp_path / "export.json")
    assert not found.workflows


def test_fields_that_nobody_knows_are_noted(tmp_path: Path) -> None:
    """What carries a value and is not understood is listed, at each level."""
    found = import_json(
        tmp_path,
        export([shell(1, resourceList=[{"id": 1}], novel="x", cpuQuota=50)], tenantCode="etl", strange=5),
    )

    assert written(found)
    assert noted(found) == {
        (None, "strange"), (None, "tenantCode"), ("t1", "resourceList"), ("t1", "novel"), ("t1", "cpuQuota"),
    }  # fmt: skip


def test_names_become_ours(tmp_path: Path) -> None:
    """Names that our language cannot take are changed everywhere, and no two become one."""
    found = import_json(
        tmp_path, export([shell(1, name="a b"), shell(2, name="a.b"), shell(3, name="a_b")], [(1, 2), (2, 3)])
    )

    assert [(one["name"], one.get("needs", [])) for one in written(found)["tasks"]] == [
        ("a_b_2", []), ("a_b_3", ["a_b_2"]), ("a_b", ["a_b_3"]),
    ]  # fmt: skip


def test_edge_to_a_task_that_is_not_there_stops(tmp_path: Path) -> None:
    """A relation is never dropped."""
    _, field, message = gap_of(import_json(tmp_path, export([shell(1)], [(9, 1)])))

    assert field == "workflowTaskRelationList"
    assert "code 9" in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ("[", "not JSON"),
        ("[]", "holds no workflow"),
        ('{"a": 1}', "no workflow as the UI"),
        ('[{"processDefinition": {"name": "x"}, "taskDefinitionList": 5}]', "must be a list"),
        ("[" * 100_000, "not JSON"),
        ('["\\ud800"]', "surrogate"),
        ("[NaN]", "NaN"),
    ],
)
def test_file_that_is_no_export_says_why(tmp_path: Path, text: str, message: str) -> None:
    """Broken, empty and foreign files have one clear message each."""
    file = tmp_path / "export.json"
    file.write_text(text, encoding="utf-8")
    found = import_files([file], environment={})

    assert any(message in gap.message for gap in found.gaps)
