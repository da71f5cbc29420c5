"""The YAML language: what it means, and every fault of it."""

import json
import sys
from pathlib import Path

import pytest

from orchestrator.authoring.load import load_file, load_text
from orchestrator.authoring.schema import json_schema
from orchestrator.authoring.tasks import ALIASES, MODELS, field_names
from orchestrator.core.definition import (
    Execution,
    OnFailure,
    ParameterDefinition,
    Priority,
    TaskDefinition,
    Trigger,
    WorkflowDefinition,
    from_document,
    to_document,
)
from orchestrator.errors import DefinitionError, Fault

INTERFACE = """
workflow:
  name: nightly
  description: Load yesterday's orders
  timezone: Europe/Paris
  params: {region: eu}
  on_failure: continue
  schedules:
    - {cron: "0 2 * * *", misfire: once}
tasks:
  - name: extract
    type: shell
    params: {day: "$[yyyy-MM-dd-1]"}
    cwd: .
    run: |
      ./extract.sh "$region" "$day" > "/data/$day.csv"
      echo "rows=$(wc -l < "/data/$day.csv")" >> "$ORCHESTRATOR_OUTPUT"
    outputs: {rows: integer}
    retries: 3
    retry_delay: 10s
    timeout: 5m
  - {name: route, type: switch, needs: [extract], cases: [{when: "${rows} > 0", then: [load]}], default: [empty]}
  - {name: load, type: python, call: "mypkg.jobs:load", needs: [route]}
  - {name: empty, type: noop, needs: [route]}
  - {name: per_shop, type: python, call: "mypkg.jobs:shop", map: "${shops}", max_parallel: 4, needs: [load]}
  - name: check
    type: conditions
    needs: [load, per_shop]
    all: [{task: load, is: success}]
    success: [report]
    failure: [alarm]
  - {name: report, type: sub_workflow, workflow: report, needs: [check]}
  - name: alarm
    type: http
    url: "https://example.org/hook"
    method: POST
    json: {workflow: "${workflow_name}"}
    needs: [check]
  - name: cleanup
    type: shell
    run: 'rm -f "/data/$day.csv"'
    params: {day: "$[yyyy-MM-dd-1]"}
    trigger: all_done
    needs: [report, alarm]
"""


def one(text: str) -> WorkflowDefinition:
    """Return the only definition of `text`."""
    (definition,) = load_text(text)
    return definition


def tasks_of(*tasks: str, workflow: str = "{name: w}") -> str:
    """Write a workflow with these tasks, each in flow style."""
    return f"workflow: {workflow}\ntasks:\n" + "\n".join(f"  - {task}" for task in tasks)


def faults_of(text: str) -> list[Fault]:
    """Return the faults of `text`."""
    with pytest.raises(DefinitionError) as caught:
        load_text(text, "w.yaml")
    return list(caught.value.faults)


def only_fault(*tasks: str, workflow: str = "{name: w}") -> str:
    """Return the only fault of a workflow with these tasks, rendered."""
    (fault,) = faults_of(tasks_of(*tasks, workflow=workflow))
    return str(fault)


def test_example_of_the_interface_loads() -> None:
    """The page that users write against is taken word for word."""
    definition = one(INTERFACE)
    extract, cleanup = definition.tasks[0], definition.tasks[-1]

    assert (extract.retries, extract.retry_delay_s, extract.timeout_s) == (3, 10.0, 300.0)
    assert extract.spec["cwd"] == "."
    assert cleanup.trigger is Trigger.ALL_DONE
    assert definition.params == {"region": ParameterDefinition(default="eu")}
    assert definition.tasks[1].spec["cases"] == [{"when": "${rows} > 0", "then": ["load"]}]


def test_document_of_a_loaded_definition_makes_it_again() -> None:
    """What is stored as JSON comes back as the same value, with the same hash."""
    definition = one(INTERFACE)
    again = from_document(json.loads(json.dumps(to_document(definition))))

    assert again == definition
    assert again.hash == definition.hash


def test_every_field_reaches_the_definition() -> None:
    """No field of the language is taken and dropped on the way."""
    definition = one(
        tasks_of(
            "{name: a, type: shell, run: x, shell: /bin/zsh, cwd: d, description: t, params: {p: 1},"
            " priority: low, outputs: {o: map}, retries: 1, retry_delay: 2, retry_backoff: 2, max_retry_delay: 3,"
            " non_retryable: [4, E], timeout: 5, on_timeout: warn, delay: 6,"
            " queue_timeout: 7, on_queue_timeout: warn, worker_group: g, environment: e,"
            " pool: q, cache: true, bundle: b, check: 'o > 1', map: [1],"
            " map_as: m, max_parallel: 2, disabled: true}",
            workflow="{name: w, description: d, owner: o, tags: [t], timezone: UTC, params: {x: {type: float,"
            " default: 1}, y: {required: true}}, timeout: 1h, on_timeout: stop, on_failure: end, execution:"
            " serial_wait, priority: high, worker_group: g, environment: e, outputs: {r: '${a.o}'}, alerts:"
            " [{email: a@b, events: [workflow_failure]}]}",
        )
    )

    assert definition.tasks == (
        TaskDefinition(
            name="a",
            type="shell",
            spec={"run": "x", "shell": "/bin/zsh", "cwd": "d"},
            description="t",
            params={"p": 1},
            priority=Priority.LOW,
            outputs={"o": "map"},
            retries=1,
            retry_delay_s=2.0,
            retry_backoff=2.0,
            max_retry_delay_s=3.0,
            non_retryable=("4", "E"),
            timeout_s=5.0,
            on_timeout="warn",
            delay_s=6.0,
            queue_timeout_s=7.0,
            on_queue_timeout="warn",
            worker_group="g",
            environment="e",
            pool="q",
            cache=True,
            bundle="b",
            check={"expression": "o > 1"},
            map_over=[1],
            map_as="m",
            max_parallel=2,
            disabled=True,
        ),
    )
    assert definition.params["x"] == ParameterDefinition(type="float", default=1.0)
    assert definition.params["y"] == ParameterDefinition(required=True)
    assert (definition.timeout_s, definition.on_timeout) == (3600.0, "stop")
    assert definition.on_failure is OnFailure.END
    assert definition.alerts == ({"email": "a@b", "events": ["workflow_failure"]},)


def test_names_of_other_programs_mean_ours() -> None:
    """`task_type`, `deps` and `command` are what DolphinScheduler's SDK writes."""
    definition = one(tasks_of("{name: a, type: noop}", "{name: b, task_type: shell, deps: [a], command: x}"))

    assert definition.tasks[1] == TaskDefinition(name="b", type="shell", needs=("a",), spec={"run": "x"})


def test_file_holds_several_workflows_with_their_directory(tmp_path: Path) -> None:
    """`---` separates them; `cwd` will be relative to the file."""
    file = tmp_path / "two.yaml"
    file.write_text(
        tasks_of("{name: a, type: noop}")
        + "\n---\n"
        + tasks_of("{name: a, type: noop}", workflow="{name: v}")
    )

    definitions = load_file(file)

    assert [definition.name for definition in definitions] == ["w", "v"]
    assert {definition.source_dir for definition in definitions} == {str(tmp_path)}


def test_source_directory_does_not_change_the_hash() -> None:
    """The same workflow deployed from another checkout is no new version."""
    text = tasks_of("{name: a, type: noop}")

    assert load_text(text, source_dir="/a")[0].hash == load_text(text, source_dir="/b")[0].hash


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("{name: a, type: shel, run: x}",
         "w.yaml:3: task 'a', field 'type': there is no type 'shel' (did you mean 'shell'?)"),
        ("{name: a}", "field 'type': is missing; types: shell, python"),
        ("{name: a, type: shell}", "field 'run': is missing"),
        ("{name: a, type: noop, retrys: 1}", "field 'retrys': is no field (did you mean 'retries'?)"),
        ("{name: a, type: noop, run: x}", "field 'run': does not fit this type of task; it fits shell"),
        ("{name: a, type: noop, retries: '3'}", "field 'retries': must be a whole number, not text"),
        ("{name: a, type: noop, retries: -1}", "field 'retries': input should be greater than or equal to 0"),
        ("{name: a, type: noop, disabled: yes}", "field 'disabled': must be true or false, not text"),
        ("{name: a, type: noop, timeout: 5 min}", "field 'timeout': not a duration; write 10s"),
        ("{name: a, type: noop, timeout: 0}", "w.yaml:3: task 'a', field 'timeout': must be longer than 0"),
        ("{name: a, type: noop, timeout: 0s}", "field 'timeout': must be longer than 0; write 10s"),
        ("{name: a, type: noop, timeout: -5}", "field 'timeout': a duration lies between 0 and 10 years"),
        ("{name: a, type: noop, queue_timeout: 0}", "field 'queue_timeout': must be longer than 0"),
        ("{name: a, type: noop, retry_delay: -1}", "field 'retry_delay': a duration lies between 0 and 10"),
        ("{name: a, type: noop, delay: -1s}", "field 'delay': not a duration"),
        ("{name: a, type: approval, timeout: 0}", "field 'timeout': must be longer than 0"),
        ("{name: a, type: dependent, check_every: 0, any: [{workflow: v, window: today}]}",
         "field 'check_every': must be longer than 0"),
        ("{name: a, type: noop, trigger: all}",
         "field 'trigger': must be one of 'all_success', 'none_failed'"),
        ("{name: a, type: noop, trigger: one_failed}", "field 'trigger': one_failed needs upstream tasks"),
        ("{name: a, type: noop, needs: a}", "field 'needs': must be a list, not text"),
        ("{name: a, type: noop, needs: [a]}", "field 'needs': a task cannot need itself"),
        ("{name: a, type: noop, needs: [b]}", "field 'needs': there is no task 'b'"),
        ("{name: a b, type: noop}", "field 'name': a name has 1 to 100 letters"),
        ("{name: a, type: noop, params: {PATH: x}}", "field 'params.PATH': 'PATH' cannot name a parameter"),
        ("{name: a, type: noop, params: {x: '$[foo]'}}",
         "field 'params.x': $[foo] is not a time placeholder"),
        ("{name: a, type: noop, params: {x: '${'}}", "field 'params.x': '${' is not a reference"),
        ("{name: a, type: noop, params: {x: '${y}'}}",
         "field 'params.x': ${y} names nothing that this task sees"),
        ("{name: a, type: noop, params: {x: 1, y: '${x}'}}",
         "field 'params.y': ${x}: the params of a task do not see"),
        ("{name: a, type: noop, params: {x: '${b.*}'}}", "field 'params.x': ${b.*}: there is no task 'b'"),
        ("{name: a, type: noop, params: {x: 99999999999999999999}}",
         "field 'params.x': an integer lies between -9223372036854775808 and 9223372036854775807; a longer"),
        ("{name: a, type: noop, retries: 99999999999999999999}", "field 'retries': an integer lies between"),
        ("{name: a, type: noop, params: {x: [1, " + "9" * 5000 + "]}}",
         "field 'params.x[1]': an integer lies between"),
        ("{name: a, type: noop, timeout: .inf}", "field 'timeout': infinity and not-a-number cannot be stored"),
        ("{name: a, type: noop, retry_backoff: .nan}", "field 'retry_backoff': infinity and not-a-number"),
        ('{name: a, type: shell, run: "a\\0"}', "field 'run': a text holds a NUL character"),
        ("{name: a, type: noop, outputs: {x: int}}", "field 'outputs.x': must be one of 'string', 'integer'"),
        ("{name: a, type: noop, on_queue_timeout: warn}", "on_queue_timeout belongs to queue_timeout"),
        ("{name: a, type: noop, max_parallel: 2}", "max_parallel belongs to map"),
        ("{name: a, type: noop, map: [1], max_parallel: 0}", "field 'max_parallel'"),
        ("{name: a, type: noop, map: 7}", "field 'map': needs a list, or a reference to one:"),
        (f"{{name: a, type: noop, map: {[0] * 10_001}}}", "field 'map': a map has at most 10000 elements"),
        ("{name: a, type: noop, map: {b: 1}}", 'needs a list, or a reference to one: "${name}", not map'),
        ("{name: a, type: noop, map: 'x ${workflow_name}'}", 'to one: "${name}", not string'),
        ("{name: a, type: noop, map: '${item}'}", "field 'map': ${item} names nothing that this task sees"),
        ("{name: a, type: noop, map: '${b.list}', params: {b: 1}}", "field 'map'"),
        ("{name: a, type: approval, map: [1]}", "field 'map'"),
        ("{name: a, type: map}", "field 'type'"),
        ("{name: a, type: noop, check: 'rows >'}", "field 'check': not CEL: line and column 1:7"),
        ("{name: a, type: noop, check: 'x.map(a, x.map(b, b))'}",
         "field 'check': a macro stands inside a macro"),
        ("{name: a, type: shell, run: 'echo $[yyyy]'}",
         "field 'run': $[yyyy] is not replaced inside a program"),
        ("{name: a, type: shell, run: x, cwd: '${d}'}", "field 'cwd': takes no parameters"),
        ("{name: a, type: python}", "give exactly one of call, script"),
        ("{name: a, type: python, call: mypkg.load}",
         "field 'call': 'mypkg.load' is no callable; write package.module:"),
        ("{name: a, type: http, url: u, json: 1, body: x}", "give at most one of json, form, body"),
        ("{name: a, type: http, url: u, auth: {}}", "auth: give exactly one of basic, bearer"),
        ("{name: a, type: http, url: u, auth: {bearer: b}, headers: {AUTHORIZATION: c}}",
         "give auth or the header Authorization, not both"),
        ("{name: a, type: http, url: 'http://h/?t=secret://x'}", "field 'url': a secret is a word of its own"),
        ("{name: a, type: http, url: u, headers: {x: '${y}'}}", "field 'headers': ${y} names nothing"),
        ("{name: a, type: sql, connection: c, sql: 'SELECT ${y}'}", "field 'sql': ${y} names nothing"),
        ("{name: a, type: sql, connection: c, sql: \"SELECT '$[yyyy]'\"}", "field 'sql': $[yyyy] is not replaced"),
        ("{name: a, type: sql, connection: c, sql: 'SELECT secret://x'}", "field 'sql': a secret is not read"),
        ("{name: a, type: sql, connection: 'secret://x', sql: s}", "field 'connection': "),
        ("{name: a, type: sub_workflow, workflow: w}", "field 'workflow': a workflow cannot contain itself"),
        ("{name: a, type: conditions, needs: [], all: [{task: b, is: success}]}",
         "field 'needs': is missing"),
        ("{name: a, type: dependent, any: [{workflow: v}]}",
         "field 'any[0]': write {workflow: NAME, window: WINDOW}"),
        ("{name: a, type: dependent}", "give exactly one of all, any"),
        ("{name: a, type: dependent, any: [{workflow: v, window: lst_week}]}", "(did you mean 'last_week'?)"),
        ("{name: a, type: switch, cases: [{when: '1 > 0', then: [a]}]}",
         "the branch cannot be reached: 'a' must have 'a'"),
        ("{name: a, type: switch, cases: []}", "field 'cases': list should have at least 1 item"),
        ("{name: a, type: switch, retries: 1, cases: [{when: 'true', then: []}]}",
         "'retries': does not fit this type"),
        ("just text", "w.yaml:3: field 'tasks[0]': must be a map with name, type"),
    ],
)  # fmt: skip
def test_fault_of_a_task_names_place_field_and_remedy(task: str, expected: str) -> None:
    """File, line, task, field, what is allowed, and a guess at what was meant."""
    assert expected in only_fault(task)


@pytest.mark.parametrize(
    ("workflow", "expected"),
    [
        ("{}", "field 'name': is missing"),
        ("{name: w, timezone: Mars/X}", "field 'timezone': 'Mars/X' is no IANA time zone"),
        (
            "{name: w, schedules: [{cron: '0 25 * * *'}]}",
            "field 'schedules[0].cron': '0 25 * * *' is no cron",
        ),
        (
            "{name: w, schedules: [{cron: '0 2 * * *', start: soon}]}",
            "field 'schedules[0].start': not a time",
        ),
        ("{name: w, timeout: 0}", "field 'timeout': must be longer than 0"),
        ("{name: w, params: {n: {type: float, default: .nan}}}", "field 'params.n.default': infinity and"),
        ("{name: w, params: {n: 1e400}}", "w.yaml:1: field 'params.n': infinity and"),
        ("{name: w, params: {n: {type: int}}}", "field 'params.n.type': must be one of 'string', 'integer'"),
        (
            "{name: w, params: {n: {type: integer, default: x}}}",
            "the default does not fit the type: expected an integer",
        ),
        ("{name: w, params: {n: {required: true, default: 1}}}", "required and default exclude each other"),
        ("{name: w, params: {n: '${other}'}}", "field 'params.n': a workflow parameter sees built-ins only"),
        ("{name: w, outputs: {n: '${b.rows}'}}", "field 'outputs.n': there is no task 'b'"),
        (
            "{name: w, alerts: [{events: [parked]}]}",
            "field 'alerts[0]': give exactly one of webhook, email, command",
        ),
        ("{name: w, on_failure: stop}", "field 'on_failure': must be one of 'continue' or 'end'"),
        ("[]", "field 'workflow': is missing"),
    ],
)
def test_fault_of_the_workflow_names_field_and_remedy(workflow: str, expected: str) -> None:
    """What stands around the tasks is checked as closely."""
    assert expected in only_fault("{name: a, type: noop}", workflow=workflow)


def test_cycles_are_printed() -> None:
    """Each cycle with its path."""
    faults = faults_of(
        tasks_of(
            "{name: a, type: noop, needs: [b]}",
            "{name: b, type: noop, needs: [a]}",
            "{name: c, type: noop, needs: [d]}",
            "{name: d, type: noop, needs: [c]}",
        )
    )

    assert len(faults) == 2
    assert all("the tasks form a cycle: " in fault.message and " -> " in fault.message for fault in faults)


def test_reference_to_a_task_that_is_not_upstream_is_refused() -> None:
    """A value that may not be there yet is no value; through other tasks it is."""
    upstream = "{name: a, type: shell, run: x}", "{name: b, type: noop, needs: [a]}"
    one(tasks_of(*upstream, "{name: c, type: noop, needs: [b], params: {x: '${a.rows}'}}"))

    assert "'a' is not upstream of this task" in only_fault(
        *upstream, "{name: c, type: noop, params: {x: '${a.rows}'}}"
    )


def test_bare_name_may_come_from_an_upstream_output() -> None:
    """Outputs need not be declared, so behind a task that may give some no name is unknown."""
    one(
        tasks_of(
            "{name: a, type: shell, run: x}", "{name: b, type: noop, needs: [a], params: {x: '${rows}'}}"
        )
    )


def test_qualified_reference_inside_a_script_is_explained() -> None:
    """A shell would fail on it at run time, far from its cause."""
    fault = only_fault(
        "{name: a, type: shell, run: x}", "{name: b, type: shell, needs: [a], run: 'echo ${a.rows} ${HOME}'}"
    )

    assert "a shell cannot expand ${a.rows}; write params" in fault


def test_every_fault_is_reported_at_once() -> None:
    """One try is enough: faults of fields, of edges, of names, of the workflow, in the order of the file."""
    faults = faults_of(
        tasks_of(
            "{name: a, type: noop, retries: x, timeout: x, bogus: 1}",
            "{name: a, type: noop}",
            "{name: b, type: noop, needs: [z], params: {p: '$[foo]'}}",
            "{name: c, type: noop, needs: [d]}",
            "{name: d, type: noop, needs: [c]}",
            workflow="{name: w, on_failure: x, nope: 1}",
        )
    )

    assert [fault.line for fault in faults] == [1, 1, 3, 3, 3, 4, 5, 5, 6]


def test_value_that_cannot_be_stored_hides_no_other_fault() -> None:
    """Odd numbers and characters are faults among others, each with its line."""
    text = (
        "workflow: {name: w, params: {a: .nan}}\ntasks:\n"
        "  - name: one\n    type: noop\n    retrys: 1\n    params:\n      x: 1\n      y: 1e400\n"
        "  - {name: two, type: nop, params: {x: 99999999999999999999}}\n"
        "  - {name: three, type: shell, run: 'a\0b'}\n  - {name: four, type: noop, needs: [fife]}\n\0"
    )

    with pytest.raises(DefinitionError) as caught:
        load_text(text, "w.yaml")

    assert [(fault.line, fault.field) for fault in caught.value.faults] == [
        (1, "params.a"),
        (5, "retrys"),
        (8, "params.y"),
        (9, "type"),
        (9, "params.x"),
        (10, None),
        (11, "needs"),
        (12, None),
    ]
    assert "U+0000" in str(caught.value)


def test_no_limit_is_said_by_leaving_it_out_and_no_wait_by_zero() -> None:
    """No retries, no delay: 0 is fine where it means nothing to wait for."""
    fields = "retries: 0, retry_delay: 0, delay: 0, max_retry_delay: 0s"
    (loaded,) = load_text(f"workflow: {{name: w}}\ntasks: [{{name: a, type: noop, {fields}}}]")

    assert loaded.tasks[0].timeout_s is None


def test_documents_that_are_no_maps_are_each_a_fault() -> None:
    """Two of them are no workflows of one name."""
    with pytest.raises(DefinitionError) as caught:
        load_text("- a\n---\n- b\n")

    assert [fault.line for fault in caught.value.faults] == [1, 3]


def test_two_workflows_of_one_name_are_refused() -> None:
    """In one file, a name means one workflow."""
    text = tasks_of("{name: a, type: noop}")

    assert "two workflows of this file are called 'w'" in str(faults_of(f"{text}\n---\n{text}")[0])


@pytest.mark.parametrize("text", ["", "# nothing", "3", "[]", "workflow: {name: w}", "tasks: []", "null"])
def test_file_without_a_workflow_is_one_clear_error(text: str) -> None:
    """Whatever else it holds."""
    assert faults_of(text)


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Missing, a directory, or no text."""
    binary = tmp_path / "b.yaml"
    binary.write_bytes(b"\xff\xfe\xff")

    for path in (tmp_path / "missing.yaml", tmp_path, binary):
        with pytest.raises(DefinitionError, match=path.name):
            load_file(path)


@pytest.mark.parametrize(
    "text", ["type: celery, call: shop.add", "type: switch, cases: [{when: 'true', then: [b]}]"]
)
def test_bundle_of_a_task_that_runs_in_no_directory_of_ours_is_refused(text: str) -> None:
    """An application of its own and the master have no bundles; the place is named."""
    (fault,) = faults_of(tasks_of(f"{{name: a, {text}, bundle: tools}}", "{name: b, type: noop, needs: [a]}"))

    assert (fault.task, fault.field, fault.line is not None) == ("a", "bundle", True)
    assert "shell, python" in fault.message


@pytest.mark.parametrize("kind", list(Execution))
def test_every_type_of_execution_can_be_run(kind: Execution) -> None:
    """`execution` says how several runs of one workflow share time."""
    definition = one(tasks_of("{name: a, type: noop}", workflow=f"{{name: w, execution: {kind}}}"))

    assert definition.execution is kind


def test_unknown_type_of_execution_is_refused_with_its_place() -> None:
    """The message says what is allowed."""
    (fault,) = faults_of(tasks_of("{name: a, type: noop}", workflow="{name: w, execution: serial}"))

    assert fault.field == "execution"
    assert "serial_wait" in fault.message
    assert fault.line is not None


def test_queue_of_a_celery_task_is_its_worker_group() -> None:
    """Two words for one thing; giving both is a contradiction."""
    (task,) = one(tasks_of("{name: a, type: celery, call: shop.add, queue: shop}")).tasks
    assert task.worker_group == "shop"

    with pytest.raises(DefinitionError, match="at most one of queue, worker_group"):
        one(tasks_of("{name: a, type: celery, call: shop.add, queue: shop, worker_group: g}"))


def test_too_many_dependencies_are_refused() -> None:
    """Each is a question for every slot of its window, at every look."""
    items = ", ".join(["{workflow: v, window: today}"] * 51)

    faults = faults_of(tasks_of(f"{{name: a, type: dependent, all: [{items}, {{any: [{items}]}}]}}"))

    assert "at most 100 dependencies, this one 102" in str(faults)


def test_tasks_of_every_worker_type_are_accepted() -> None:
    """Six task types, with triggers, retries, timeouts, delays, parameters, secrets and bundles."""
    definition = one(
        tasks_of(
            "{name: a, type: shell, run: x, retries: 1, timeout: 1m, on_timeout: warn, delay: 1s, bundle: t}",
            "{name: b, type: python, script: x, needs: [a], trigger: all_done, params: {x: '${a.y}'}}",
            "{name: c, type: noop, needs: [b], disabled: true, worker_group: g, outputs: {x: integer}}",
            "{name: d, type: celery, call: shop.add, queue: shop, args: ['${a.y}'], kwargs: {b: 1}, needs: [a]}",
            "{name: f, type: sql, connection: shop, sql: 'SELECT ${x}', fetch: all, params: {x: 'secret://x'}}",
            "{name: e, type: http, url: 'h/${f.n}', needs: [f], auth: {bearer: 'secret://t'}, verify: x.pem}",
            workflow="{name: w, params: {p: 'secret://x'}, timeout: 1h, on_timeout: stop, on_failure: end, "
            "timezone: Asia/Tokyo}",
        )
    )

    assert [task.type for task in definition.tasks] == ["shell", "python", "noop", "celery", "sql", "http"]
    assert definition.tasks[0].bundle == "t"


def test_bundle_of_a_python_file_is_that_of_its_task(tmp_path: Path) -> None:
    """`@task(bundle=…)` and `shell(…, bundle=…)` say the same as YAML."""
    text = (
        "from orchestrator import shell, task, workflow\n@task(bundle='few')\ndef f(): ...\n"
        "@workflow\ndef flow():\n    f()\n    shell('a', 'true', bundle='many')\n"
    )
    (tmp_path / "drawn_bundles.py").write_text(text)

    (definition,) = load_file(tmp_path / "drawn_bundles.py")

    assert [task.bundle for task in definition.tasks] == ["few", "many"]


def test_schema_knows_every_type_and_field() -> None:
    """Editors are told the same as the loader."""
    schema = json_schema()

    for model in MODELS.values():
        part = schema["$defs"][model.__name__]
        assert set(part["properties"]) - set(ALIASES) == set(field_names(model))
        assert part["additionalProperties"] is False
    json.dumps(schema)


def test_schema_takes_the_types_that_packages_add() -> None:
    """They have the fields of every worker task, and none of their own; without them nothing is said of them."""
    schema = json_schema(("shout", "mail"))

    added = schema["$defs"]["AddedTask"]
    assert added["properties"]["type"]["enum"] == ["mail", "shout"]
    assert {"pool", "bundle", "retries", "needs", "deps"} <= set(added["properties"])
    assert {"$ref": "#/$defs/AddedTask"} in schema["properties"]["tasks"]["items"]["oneOf"]
    assert "AddedTask" not in json_schema()["$defs"]


@pytest.mark.parametrize(
    ("body", "line", "message"),
    [
        ("def flow():\n    nobody_knows()\n", 4, "NameError: name 'nobody_knows' is not defined"),
        ("def flow():\n    if noop('a'):\n        pass\n", 4, ""),
    ],
)
def test_fault_of_a_python_workflow_names_the_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, line: int, message: str
) -> None:
    """Whatever the function does wrong while it is drawn stands in a line of its file."""
    name = f"drawn_{len(message)}.py"
    (tmp_path / name).write_text(f"from orchestrator import noop, workflow\n@workflow\n{body}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*sys.path])

    with pytest.raises(DefinitionError) as caught:
        load_file(name)

    assert str(caught.value).startswith(f"{name}:{line}: {message}")


def test_line_of_a_python_file_that_cannot_run_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the file was named relative to where one stands."""
    (tmp_path / "cannot_run.py").write_text("a = 1\nb = 1 / 0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*sys.path])

    with pytest.raises(DefinitionError, match=r"^cannot_run\.py:2: ZeroDivisionError"):
        load_file("cannot_run.py")


@pytest.mark.parametrize("kind", ["integer", "map"])
def test_map_over_what_is_declared_as_something_else_is_a_fault(kind: str) -> None:
    """Known before anything runs: of an output by its task, of a parameter by its name."""
    upstream = f"{{name: b, type: noop, outputs: {{m: {kind}}}}}"
    over_output = only_fault(upstream, "{name: a, type: noop, needs: [b], map: '${b.m}'}")
    declared = f"{{name: w, params: {{n: {{type: {kind}}}}}}}"

    assert f"field 'map': ${{b.m}} is declared as {kind}; needs a list" in over_output
    assert f"${{n}} is declared as {kind}" in only_fault(
        "{name: a, type: noop, map: '${n}'}", workflow=declared
    )


def test_map_over_outputs_of_a_map_is_a_list() -> None:
    """They are lists, whatever their elements' type."""
    upstream = "{name: b, type: noop, outputs: {m: integer}, map: [1]}"

    assert one(tasks_of(upstream, "{name: a, type: noop, needs: [b], map: '${b.m}'}")).tasks[1].map_over


@pytest.mark.parametrize(("default", "kind"), [("3", "integer"), ("north", "string"), ("{a: 1}", "map")])
def test_map_over_a_parameter_whose_default_is_no_list_is_a_fault(default: str, kind: str) -> None:
    """Known before anything runs; what is worked out later, or is given at the start, may be a list."""
    over_n = "{name: a, type: noop, map: '${n}'}"
    fault = only_fault(over_n, workflow=f"{{name: w, params: {{n: {default}}}}}")

    assert f"field 'map': the default of ${{n}} is {kind}; needs a list" in fault
    for params in ("n: null", "n: [1]", "n: {required: true}", "n: {type: list, default: [1]}"):
        assert one(tasks_of(over_n, workflow=f"{{name: w, params: {{{params}}}}}")).name == "w"
