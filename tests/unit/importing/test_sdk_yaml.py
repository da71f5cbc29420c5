"""The YAML of the Python SDK comes in, type by type; what it draws in from outside comes with it."""

from pathlib import Path

import pytest

from orchestrator.importing.dolphinscheduler import import_files
from tests.unit.importing.builders import gap_of, import_sdk, noted, sdk_text, tasks_of, written


def test_workflow_with_its_schedule(tmp_path: Path) -> None:
    """The SDK's fields become ours; what only its server knows is noted or nothing."""
    text = sdk_text(
        "- {name: a, task_type: Shell, command: echo a}\n",
        name="my flow", description="Nightly", schedule="0 30 2 * * ? *", timezone="Europe/Paris",
        start_time="2026-01-01", execution_type="SERIAL_DISCARD", param={"n": 1, "day": "$[yyyyMMdd]"}, timeout=60,
        project="p", user="u", tenant="t", release_state="offline", run=True, worker_group="default",
    )  # fmt: skip
    found = import_sdk(tmp_path, text)

    assert written(found)["workflow"] == {
        "name": "my_flow", "description": "Nightly", "timezone": "Europe/Paris",
        "params": {"n": 1, "day": "$[yyyyMMdd]"}, "timeout": "60m", "execution": "serial_discard",
        "schedules": [{"cron": "30 2 * * *", "start": "2026-01-01T00:00:00"}],
    }  # fmt: skip
    assert noted(found) == {(None, "run"), (None, "release_state"), (None, "tenant"), (None, "name")}


def test_schedule_without_a_zone_is_noted(tmp_path: Path) -> None:
    """The SDK takes the zone from its configuration, which is not in the file."""
    text = sdk_text("- {name: a, task_type: Shell, command: x}\n", schedule="0 0 2 * * ?")

    assert noted(import_sdk(tmp_path, text)) == {(None, "timezone")}


def test_shell_with_everything(tmp_path: Path) -> None:
    """Minutes become durations, parameters params; upstreams are `deps`."""
    text = sdk_text("""
- {name: first, task_type: shell, command: 'true'}
- name: shell_0
  task_type: Shell
  deps: [first]
  description: yaml define task
  flag: "YES"
  command: echo "${n}" '${m}'
  task_priority: HIGH
  delay_time: 20
  fail_retry_times: 3
  timeout: 60
  timeout_notify_strategy: FAILED
  local_params:
    - {prop: n, direct: IN, type: VARCHAR, value: "${n}"}
  input_params: {m: "INTEGER(7)"}
""", param={"n": 1})  # fmt: skip

    assert tasks_of(import_sdk(tmp_path, text))["shell_0"] == {
        "name": "shell_0", "type": "shell", "needs": ["first"], "description": "yaml define task",
        "params": {"n": "${n}", "m": 7}, "run": "echo \"${n}\" ''\"${m}\"''", "priority": "high", "retries": 3,
        "retry_delay": "1m", "timeout": "60m", "delay": "20m",
    }  # fmt: skip


def test_python_definition_is_called(tmp_path: Path) -> None:
    """The SDK calls the function that a definition begins with; a plain script runs as it is."""
    text = sdk_text("""
- {name: a, task_type: Python, definition: "def foo():\\n    print(1)\\n"}
- {name: b, task_type: Python, definition: "print(2)"}
""")
    found = tasks_of(import_sdk(tmp_path, text))

    assert found["a"]["script"] == "def foo():\n    print(1)\nfoo()"
    assert found["b"]["script"] == "print(2)"


def test_sql_and_procedure(tmp_path: Path) -> None:
    """Data sources become connections; what changes data fetches nothing."""
    text = sdk_text("""
- {name: a, task_type: Sql, datasource_name: db, sql: select 1, pre_statements: set x = 1}
- {name: b, task_type: Sql, datasource_name: db, sql: insert into t values (1)}
- {name: c, task_type: Procedure, datasource_name: db, method: call p()}
""")
    found = tasks_of(import_sdk(tmp_path, text))

    assert [one["fetch"] for one in found.values()] == ["first", "none", "none"]
    assert found["a"]["sql"] == "set x = 1;\nselect 1"
    assert found["c"]["connection"] == "db"


def test_http(tmp_path: Path) -> None:
    """Parameters are the query; the SDK's two waits of a minute become one timeout."""
    text = sdk_text("- {name: a, task_type: Http, url: 'http://x', http_params: {q: 1}, http_method: GET}\n")

    assert tasks_of(import_sdk(tmp_path, text))["a"] == {
        "name": "a", "type": "http", "url": "http://x", "method": "GET", "query": {"q": 1}, "timeout": "120s",
    }  # fmt: skip


def test_switch_and_condition_give_their_branches_an_edge(tmp_path: Path) -> None:
    """In the SDK's file a branch does not name the task that leads to it; the SDK draws that edge itself."""
    text = sdk_text("""
- {name: a, task_type: Shell, command: x}
- {name: b, task_type: Shell, command: x}
- {name: c, task_type: Shell, command: x}
- {name: sw, task_type: Switch, condition: [{task: a, condition: "${var} > 1"}, {task: b}]}
- name: cond
  task_type: Condition
  success_task: c
  failed_task: b
  op: AND
  groups: [{op: OR, groups: [{task: a, flag: true}]}, {op: AND, groups: [{task: a, flag: false}]}]
""", param={"var": 1})  # fmt: skip
    found = tasks_of(import_sdk(tmp_path, text))

    assert found["sw"]["cases"] == [{"when": "${var} > 1", "then": ["a"]}]
    assert found["sw"]["default"] == ["b"]
    assert (found["a"]["needs"], found["b"]["needs"], found["c"]["needs"]) == (
        ["sw"],
        ["sw", "cond"],
        ["cond"],
    )
    assert found["cond"]["needs"] == ["a"]
    assert found["cond"]["all"] == [
        {"any": [{"task": "a", "is": "success"}]}, {"all": [{"task": "a", "is": "failure"}]},
    ]  # fmt: skip


def test_dependent_windows_in_both_spellings(tmp_path: Path) -> None:
    """The SDK takes `LAST_TWENTY_FOUR_HOURS` and `last24Hours`; none means today."""
    text = sdk_text("""
- name: d
  task_type: Dependent
  denpendence:
  op: and
  groups:
    - op: or
      groups:
        - {project_name: "${CONFIG.WORKFLOW_PROJECT}", workflow_name: w, dependent_task_name: t}
        - {project_name: p, workflow_name: w, dependent_task_name: t, dependent_date: LAST_TWENTY_FOUR_HOURS}
        - {project_name: p, workflow_name: w, dependent_task_name: t, dependent_date: last24Hours}
        - {project_name: p, workflow_name: w, dependent_task_name: "0", dependent_date: LAST_ONE_DAYS}
""")
    imported = import_sdk(tmp_path, text)
    found = tasks_of(imported)["d"]["any"]

    assert [one["window"] for one in found] == ["today", "last_24_hours", "last_24_hours", "last_1_day"]
    assert sum("the 24 hours before the planned one" in note.message for note in imported.notes) == 2
    assert "task" not in found[3]


def test_workflow_of_another_file_comes_in_with_it(tmp_path: Path) -> None:
    """`$WORKFLOW{"…"}` means that file's workflow, which the SDK creates, too; each file once."""
    (tmp_path / "child.yaml").write_text(sdk_text("- {name: t, task_type: Shell, command: x}\n", name="kid"))
    text = sdk_text("""
- {name: a, task_type: SubWorkflow, workflow_name: $WORKFLOW{"child.yaml"}}
- {name: b, task_type: SubWorkflow, workflow_name: $WORKFLOW{"child.yaml"}}
""")
    found = import_sdk(tmp_path, text)

    assert [one.name for one in found.workflows] == ["kid", "flow"]
    assert tasks_of(found)["b"]["workflow"] == "kid"


def test_files_that_name_each_other_come_in_once(tmp_path: Path) -> None:
    """A circle of files is read to its end."""
    for name, other in (("flow", "b"), ("b", "flow")):
        task = f'- {{name: t, task_type: SubWorkflow, workflow_name: $WORKFLOW{{"{other}.yaml"}}}}\n'
        (tmp_path / f"{name}.yaml").write_text(sdk_text(task, name=name))
    found = import_files([tmp_path / "flow.yaml", tmp_path / "b.yaml"], environment={})

    assert [one.name for one in found.workflows] == ["b", "flow"]
    assert not found.gaps


def test_files_and_environment_come_in(tmp_path: Path) -> None:
    """`$FILE{"…"}` is a file's text beside the YAML, `$ENV{…}` a variable of the importing environment."""
    (tmp_path / "a.sh").write_text("echo file\n", encoding="utf-8")
    text = sdk_text("""
- {name: a, task_type: Shell, command: '$FILE{"a.sh"}'}
- {name: b, task_type: Shell, command: 'cd $ENV{PLACE}'}
""")
    found = import_sdk(tmp_path, text, {"PLACE": "/data"})

    assert [one["run"] for one in tasks_of(found).values()] == ["echo file\n", "cd /data"]
    assert noted(found) == {("b", "command")}


@pytest.mark.parametrize(
    ("tasks", "field", "message"),
    [
        ("- {name: a, task_type: Shell, command: '$FILE{\"none.sh\"}'}", "command", "cannot be read"),
        ("- {name: a, task_type: Shell, command: '$ENV{NOT_SET}'}", "command", "has no 'NOT_SET'"),
        ("- {name: a, task_type: Shell, command: '${CONFIG.X}'}", "command", "configuration"),
        ("- {name: a, run: ls}", "taskType", "is missing; supported: BLOCKING"),
        ("- {name: a, task_type: Flink}", "taskType", "FLINK has no equivalent"),
        ("- {name: a, task_type: Shell, command: x, deps: [b]}", "deps", "no task 'b'"),
        ("- {name: a, task_type: Shell, command: x.sh, resource_plugin: {}}", "resource_plugin", "plug-in"),
        ("- {name: a, task_type: Switch, condition: [{task: z, condition: '${x} > 1'}]}",
         "switchResult.dependTaskList[0].nextNode", "no task 'z'"),
    ],
)  # fmt: skip
def test_what_cannot_be_converted_stops_with_its_line(
    tmp_path: Path, tasks: str, field: str, message: str
) -> None:
    """The place is the task's line in the SDK's file."""
    found = import_sdk(tmp_path, sdk_text(tasks + "\n"))

    assert (found.gaps[0].task, found.gaps[0].field, found.gaps[0].line) == ("a", field, 4)
    assert message in found.gaps[0].message


@pytest.mark.parametrize("year", ["0 0 2 L * ?", "0 0 2 * * ? 2027", "nonsense"])
def test_schedule_without_equivalent_stops(tmp_path: Path, year: str) -> None:
    """No schedule is dropped in silence."""
    text = sdk_text("- {name: a, task_type: Shell, command: x}\n", schedule=year, timezone="UTC")

    assert gap_of(import_sdk(tmp_path, text))[1] == "schedule.crontab"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "not YAML"),
        ("", "holds no workflow"),
        ("a: 1", "Python SDK"),
        ("workflow: {name: x}", "no list of tasks"),
        ("workflow: {name: x}\ntasks: [5]", "a map with name"),
        ("workflow: {}\ntasks: []", "name"),
        ("workflow: {name: x}\ntasks: []", "has no tasks"),
    ],
)
def test_file_that_is_no_workflow_says_why(tmp_path: Path, text: str, message: str) -> None:
    """Broken, empty and foreign files have a clear message."""
    assert any(message in str(gap) for gap in import_sdk(tmp_path, text).gaps)


def test_two_workflows_of_one_name_stop(tmp_path: Path) -> None:
    """Neither would overwrite the other."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(sdk_text("- {name: t, task_type: Shell, command: x}\n"))
    found = import_files([tmp_path / "a.yaml", tmp_path / "b.yaml"], environment={})

    assert {gap.file for gap in found.gaps} == {str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml")}
