"""What an attempt's parameters come to, and which upstream output counts."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestrator.core.dag import Graph, compile_graph
from orchestrator.core.definition import ParameterDefinition, TaskDefinition, WorkflowDefinition
from orchestrator.core.inputs import Inputs, resolve_inputs, wanted_outputs
from orchestrator.core.instance import Head, TaskInstance
from orchestrator.core.outputs import OutputIndex, outputs_visible_to
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.core.surroundings import Surroundings
from orchestrator.core.workflow_outputs import workflow_outputs
from orchestrator.errors import UnresolvedParameter
from tests.builders import a_task

PLANNED = datetime(2026, 11, 1, 23, 30, tzinfo=UTC)


def definition_of(
    *, params: Mapping[str, ParameterDefinition] | None = None, **needs: str
) -> WorkflowDefinition:
    """Define shell tasks written as `name="upstream upstream"`."""
    tasks = (TaskDefinition(name=name, type="shell", needs=tuple(one.split())) for name, one in needs.items())
    return WorkflowDefinition(name="w", timezone="Europe/Paris", tasks=tuple(tasks), params=params or {})


def graph_of(**needs: str) -> Graph:
    """Compile shell tasks written as `name="upstream upstream"`."""
    return compile_graph(definition_of(params=None, **needs))


def ended(task: str, second: int, state: TaskState = TaskState.SUCCESS, **outputs: Any) -> TaskInstance:
    """Return an attempt that ended `second` seconds after the planned time."""
    return TaskInstance(
        workflow_instance_id=1,
        task=task,
        attempt=1,
        sequence=second + 1,
        type="shell",
        state=state,
        ticket="t",
        ended_at=PLANNED + timedelta(seconds=second),
        outputs=outputs,
    )


def by_task(*attempts: TaskInstance) -> dict[str, TaskInstance]:
    """Return the attempts by task."""
    return {one.task: one for one in attempts}


def head_of(**params: Any) -> Head:
    """Return a running instance with these start parameters."""
    return Head(
        id=17,
        slot=17,
        definition_id=1,
        workflow="w",
        version=1,
        state=WorkflowState.RUNNING,
        params=params,
        planned_time=PLANNED,
        submitted_at=PLANNED,
    )


def inputs_of(
    task: TaskDefinition,
    definition: WorkflowDefinition | None = None,
    head: Head | None = None,
    **around: Any,
) -> Inputs:
    """Resolve the inputs of `task`."""
    surroundings = Surroundings(
        definition=definition or definition_of(a=""),
        head=head or head_of(),
        attempt=ended(task.name, 0),
        **around,
    )
    return resolve_inputs(task, surroundings)


def test_output_committed_last_wins_among_ancestors() -> None:
    """Of two upstreams with one output name, time decides, not the order of needs; others are not seen."""
    graph = graph_of(a="", b="", c="a b", other="")
    attempts = by_task(ended("a", 2, rows=1), ended("b", 1, rows=2, x=3), ended("other", 9, rows=4))

    assert outputs_visible_to("c", graph, attempts) == {"rows": "a", "x": "b"}


def test_only_successes_give_outputs() -> None:
    """A failed or lost attempt's outputs do not count; a forced success's do."""
    graph = graph_of(a="", b="", c="", d="a b c")
    attempts = by_task(
        ended("a", 1, TaskState.FAILURE, x=1),
        ended("b", 2, TaskState.FORCED_SUCCESS, y=1),
        ended("c", 3, TaskState.LOST, z=1),
    )

    assert outputs_visible_to("d", graph, attempts) == {"y": "b"}


def test_index_does_not_remember_what_may_still_change() -> None:
    """A task that ran early sees nothing of an upstream that is still running; a later one does."""
    index = OutputIndex(graph_of(a="", b="", early="a b", late="early"))
    running = ended("b", 0, TaskState.RUNNING)
    attempts = by_task(ended("a", 1, x=1), running, ended("early", 2))

    assert index.sources("early", attempts) == {"x": "a"}
    assert index.sources("late", attempts) == {"x": "a"}
    assert index.sources("late", attempts | by_task(ended("b", 3, y=1))) == {"x": "a", "y": "b"}


def test_index_forgets_when_told() -> None:
    """After a recovery the old attempt's outputs no longer count."""
    index = OutputIndex(graph_of(a="", b="a"))
    assert index.sources("b", by_task(ended("a", 1, x=1))) == {"x": "a"}

    index.clear()

    assert index.sources("b", by_task(ended("a", 2, y=1))) == {"y": "a"}


def test_precedence_is_params_outputs_start_workflow_built_ins() -> None:
    """The layers of the language, strongest first."""
    declared = {name: ParameterDefinition(default=f"workflow {name}") for name in ("a", "b", "c", "d")}
    task = TaskDefinition(name="t", type="shell", params={"a": "own a", "e": "${b}/${d}"})

    inputs = inputs_of(
        task,
        definition_of(params=declared, t=""),
        head_of(a="start a", b="start b", c="start c"),
        latest={"a": "up", "b": "up"},
        outputs={"up": {"a": 1, "b": 2}},
    )

    assert inputs.params == {"a": "own a", "e": "2/workflow d"}
    assert {name: inputs.parameters[name] for name in "abcd"} == {
        "a": "own a", "b": 2, "c": "start c", "d": "workflow d",
    }  # fmt: skip


def test_empty_param_takes_the_upstreams_value() -> None:
    """`rows:` without a value asks for the upstream's."""
    task = TaskDefinition(name="t", type="python", params={"rows": None})

    assert inputs_of(task, latest={"rows": "up"}, outputs={"up": {"rows": [1]}}).params == {"rows": [1]}


def test_built_ins_are_in_the_workflows_zone() -> None:
    """Times are ISO 8601 in the zone; the planned time is the end of its interval."""
    inputs = inputs_of(TaskDefinition(name="t", type="shell"))

    assert inputs.parameters["planned_time"] == "2026-11-02T00:30:00+01:00"
    assert inputs.parameters["data_interval_end"] == inputs.parameters["planned_time"]
    assert inputs.parameters["workflow_instance_id"] == 17
    assert inputs.parameters["task_name"] == "t"


def test_placeholders_of_workflow_and_task_params_are_replaced() -> None:
    """Both are about the planned time; a start parameter is data and stays as it was given."""
    declared = {
        "day": ParameterDefinition(type="date", default="$[yyyy-MM-dd-1]"),
        "raw": ParameterDefinition(),
    }
    task = TaskDefinition(name="t", type="python", params={"a": "${day}", "b": "$[MM]", "c": "${raw}"})

    inputs = inputs_of(task, definition_of(params=declared, t=""), head_of(raw="$[yyyy] ${x}"))

    assert inputs.params == {"a": "2026-11-01", "b": "11", "c": "$[yyyy] ${x}"}


def test_fault_names_the_parameter_and_the_reference() -> None:
    """The reason that the attempt fails with says where to look."""
    task = TaskDefinition(name="t", type="shell", params={"x": "${extract.rows}"})

    with pytest.raises(UnresolvedParameter, match=r"parameter 'x': \$\{extract\.rows\} has no value"):
        inputs_of(task)


def test_default_of_the_wrong_type_is_refused_once_it_is_known() -> None:
    """A placeholder may come to a text that is no date."""
    declared = {"day": ParameterDefinition(type="date", default="$[yyyy]")}

    with pytest.raises(UnresolvedParameter, match="parameter 'day': expected a date"):
        inputs_of(TaskDefinition(name="t", type="shell"), definition_of(params=declared, t=""))


def test_shell_value_limit_counts_everything_visible() -> None:
    """What would not fit into the environment is refused before it is sent."""
    with pytest.raises(UnresolvedParameter, match="inputs too large: 'big'"):
        inputs_of(TaskDefinition(name="t", type="shell"), head=head_of(big="x" * 130_000))


def test_python_task_gets_only_what_it_uses() -> None:
    """What a callable does not take does not count against the limit; a noop takes nothing."""
    head = head_of(big="x" * 2_000_000)

    assert "big" not in inputs_of(TaskDefinition(name="t", type="python"), head=head).parameters
    assert inputs_of(TaskDefinition(name="t", type="noop"), head=head) == Inputs(params={}, parameters={})


def test_wanted_outputs_are_the_latest_and_the_qualified_ones() -> None:
    """The caller fetches these, and no others, before it resolves."""
    task = TaskDefinition(name="t", type="python", params={"a": ["${far.rows}"], "b": "${near}"})

    assert wanted_outputs(task, {"near": "close"}) == {"far", "close"}


def test_workflow_outputs_default_to_those_of_the_leaves() -> None:
    """Without `outputs:` a run gives what its leaves gave."""
    attempts = by_task(ended("a", 1, x=1), ended("b", 2, y=2), ended("c", 3, y=3))

    assert workflow_outputs(definition_of(a="", b="a", c="a"), head_of(), attempts) == {"y": 3}


def test_outputs_of_a_part_of_a_workflow_are_those_of_its_own_leaves() -> None:
    """A run from a start node that ends before the workflow does still gives something."""
    head = replace(head_of(), start_nodes=("b",), depends="upstream")
    attempts = by_task(ended("a", 1, x=1), ended("b", 2, y=2))

    assert workflow_outputs(definition_of(a="", b="a", c="b"), head, attempts) == {"y": 2}


def test_workflow_outputs_that_have_no_value_are_none() -> None:
    """A branch that did not run leaves its output empty instead of failing the run."""
    definition = WorkflowDefinition(
        name="w",
        tasks=definition_of(a="", b="").tasks,
        outputs={"total": "${a.x}", "other": "${b.x}", "text": "n=${x} on $[yyyy]"},
    )

    outputs = workflow_outputs(definition, head_of(), by_task(ended("a", 1, x=1)))

    assert outputs == {"total": 1, "other": None, "text": "n=1 on 2026"}


def test_workflow_outputs_see_the_parameters_that_tasks_see() -> None:
    """Defaults with their placeholders and references replaced, start parameters as data, built-ins of the run."""
    definition = WorkflowDefinition(
        name="w",
        timezone="Europe/Paris",
        tasks=definition_of(a="").tasks,
        params={
            "day": ParameterDefinition(default="$[yyyy-MM-dd]"),
            "who": ParameterDefinition(default="run of ${workflow_name}"),
            "year": ParameterDefinition(type="integer", default="$[yyyy]"),
            "wrong": ParameterDefinition(type="date", default="$[yyyy]"),
            "raw": ParameterDefinition(),
        },
        outputs={
            "year": "${year}",
            "wrong": "${wrong}",
            "day": "${day}",
            "who": "${who}",
            "raw": "${raw}",
            "at": "${planned_time}",
            "count": "${run_count}",
            "far": "$[yyyyMMdd+9999999]",
        },
    )

    assert workflow_outputs(definition, head_of(raw="$[yyyy] ${x}"), {}) == {
        "year": 2026,
        "wrong": None,
        "day": "2026-11-02",
        "who": "run of w",
        "raw": "$[yyyy] ${x}",
        "at": "2026-11-02T00:30:00+01:00",
        "count": 1,
        "far": None,
    }


def celery_task(**fields: Any) -> TaskDefinition:
    """Return a task of the type `celery`."""
    spec: dict[str, Any] = {name: fields.pop(name) for name in ("args", "kwargs") if name in fields}
    return TaskDefinition(name="t", type="celery", spec={"call": "shop.${x}", **spec}, **fields)


def test_arguments_of_a_celery_task_are_resolved_like_params() -> None:
    """Own params, upstream outputs with their types, placeholders; what is no argument stays as written."""
    task = celery_task(
        args=["${load.rows}", "${day}"],
        kwargs={"deep": ["${n}"]},
        params={"day": "$[yyyy-MM-dd]", "n": "${k}"},
    )
    spec = inputs_of(task, head=head_of(k=3), outputs={"load": {"rows": [1, 2]}}).spec

    assert spec == {"call": "shop.${x}", "args": [[1, 2], "2026-11-02"], "kwargs": {"deep": [3]}}


def test_arguments_that_cannot_be_resolved_name_their_field() -> None:
    """The reason says where the reference stands."""
    with pytest.raises(UnresolvedParameter, match=r"field 'args': \$\{nobody\} has no value"):
        inputs_of(celery_task(args=["${nobody}"]))


def test_arguments_that_are_too_large_are_refused() -> None:
    """The limit on resolved inputs counts them."""
    with pytest.raises(UnresolvedParameter, match="inputs too large"):
        inputs_of(celery_task(args=["${big}", "${big}"]), head=head_of(big="x" * 600_000))


def test_outputs_in_arguments_are_fetched() -> None:
    """The dispatcher asks for the upstreams that arguments name, and for no others."""
    task = celery_task(args=["${load.rows}"], kwargs={"x": "${total}"})

    assert wanted_outputs(task, {"total": "sum", "other": "unused"}) == {"load", "sum"}


def test_fields_of_sql_and_http_have_their_references_looked_up_by_path() -> None:
    """The worker encodes them; params, upstreams and built-ins are seen, and nothing else is sent."""
    task = a_task(
        "a", type="http", params={"n": "${b.rows}"},
        spec={"url": "https://h/${n}/$[yyyyMMdd]", "json": {"x": ["${b.rows}", "$${y}"]}, "method": "GET"},
    )  # fmt: skip

    inputs = inputs_of(task, outputs={"b": {"rows": 3, "other": 4}})

    assert inputs.spec == {
        "url": "https://h/${n}/20261102", "json": {"x": ["${b.rows}", "$${y}"]}, "method": "GET"
    }  # fmt: skip
    assert inputs.parameters == {"n": 3, "b.rows": 3}
    assert wanted_outputs(task, {"rows": "c", "other": "b"}) == {"b"}


def test_sql_is_a_program() -> None:
    """No placeholder and no secret in it is read; its references are values, also parts of outputs."""
    task = a_task(
        "a", type="sql", spec={"connection": "c", "sql": "SELECT ${b.row.id}, '$[yyyy] secret://x'"}
    )

    inputs = inputs_of(task, outputs={"b": {"row": {"id": 5}}}, secret_ticket="t")

    assert inputs.spec == task.spec
    assert inputs.parameters == {"b.row.id": 5}


@pytest.mark.parametrize(
    ("type_", "spec", "reason"),
    [
        ("sql", {"sql": "SELECT ${nothing}"}, r"^sql: \$\{nothing\} has no value"),
        ("http", {"url": "h", "headers": {"a": "${nothing}"}}, r"^headers: \$\{nothing\} has no value"),
        ("http", {"url": "h/${"}, r"^url: '\$\{' is not a reference"),
        ("http", {"url": "h/$[nonsense]"}, r"^url: "),
        ("sql", {"sql": "SELECT ${big}"}, "inputs too large"),
    ],
)
def test_fields_that_cannot_be_resolved_fail_with_their_name(
    type_: str, spec: dict[str, Any], reason: str
) -> None:
    """Before anything is handed over."""
    with pytest.raises(UnresolvedParameter, match=reason):
        inputs_of(a_task("a", type=type_, spec=spec), head=head_of(big="x" * (1024 * 1024 + 1)))


def test_secrets_are_marked_where_somebody_wrote_them() -> None:
    """In params, start parameters, workflow parameters and fields; not in what an upstream gave."""
    definition = definition_of(params={"w": ParameterDefinition(default="secret://w")}, a="")
    task = a_task(
        "a", type="http", params={"p": "secret://p", "out": "${b.text}"},
        spec={"url": "secret://u", "query": {"s": "${start}", "w": "${w}", "o": "${out}"}},
    )  # fmt: skip

    inputs = inputs_of(
        task,
        definition,
        head_of(start="secret://s"),
        outputs={"b": {"text": "secret://o"}},
        secret_ticket="t",
    )

    assert inputs.params == {"p": "secret+t://p", "out": "secret://o"}
    assert inputs.parameters == {"start": "secret+t://s", "w": "secret+t://w", "out": "secret://o"}
    assert inputs.spec["url"] == "secret+t://u"


def test_secrets_stay_as_written_where_no_worker_resolves_them() -> None:
    """A logic task passes the name on, to a sub-workflow for instance."""
    assert inputs_of(a_task("a", params={"p": "secret://p"})).params == {"p": "secret://p"}
