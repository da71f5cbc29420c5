"""The tables of parameters, a test for each row: precedence, built-ins, types, limits."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from orchestrator.core.definition import ParameterDefinition, TaskDefinition
from orchestrator.core.inputs import Inputs, resolve_inputs
from orchestrator.core.surroundings import Surroundings
from orchestrator.errors import UnresolvedParameter
from tests.builders import a_definition, a_head, a_task, an_attempt

PLANNED = datetime(2026, 11, 1, 23, 30, tzinfo=UTC)
NAME = "workflow_name"
"""A built-in, so that every layer can have it."""

LAYERS = ("task params", "upstream outputs", "start", "workflow", "environment", "built-ins")


def layered(strongest: int, own: Any = "task params") -> Inputs:
    """Resolve a shell task where every layer from number `strongest` on gives `NAME` its own value."""
    given = LAYERS[strongest:]
    task = a_task("t", type="shell", params={NAME: own} if "task params" in given else {})
    declared = {NAME: ParameterDefinition(default="workflow")} if "workflow" in given else {}
    definition = a_definition(task, name="built-ins", params=declared)
    return resolve_inputs(
        task,
        Surroundings(
            definition=definition,
            head=a_head(definition, params={NAME: "start"} if "start" in given else {}),
            attempt=an_attempt("t"),
            latest={NAME: "up"} if "upstream outputs" in given else {},
            outputs={"up": {NAME: "upstream outputs"}} if "upstream outputs" in given else {},
            environment={NAME: "environment"} if "environment" in given else {},
        ),
    )


@pytest.mark.parametrize("strongest", range(len(LAYERS)), ids=LAYERS)
def test_each_layer_wins_over_those_below_it(strongest: int) -> None:
    """What a task sees under a name that all the lower layers have, too."""
    assert layered(strongest).parameters[NAME] == LAYERS[strongest]


@pytest.mark.parametrize("empty", [None, ""])
def test_an_empty_param_takes_the_value_of_the_layer_below(empty: str | None) -> None:
    """In both places where a task meets it: among its own params and among everything visible."""
    inputs = layered(0, own=empty)

    assert inputs.params[NAME] == inputs.parameters[NAME] == "upstream outputs"


@pytest.mark.parametrize("value", [0, False, [], {}, " "])
def test_a_value_that_is_not_empty_stays(value: Any) -> None:
    """Zero, false and an empty list are values."""
    assert layered(0, own=value).params[NAME] == value


def resolved(
    task: TaskDefinition, params: Mapping[str, ParameterDefinition] | None = None, **head: Any
) -> Inputs:
    """Resolve a task of a workflow in Paris."""
    definition = a_definition(task, timezone="Europe/Paris", params=params or {})
    around = Surroundings(
        definition=definition,
        head=a_head(definition, planned_time=PLANNED, **head),
        attempt=an_attempt(task.name, attempt=3),
    )
    return resolve_inputs(task, around)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("workflow_name", "w"),
        ("workflow_instance_id", 17),
        ("task_name", "t"),
        ("attempt", 3),
        ("run_count", 2),
        ("planned_time", "2026-11-02T00:30:00+01:00"),
        ("data_interval_start", "2026-10-25T01:30:00+02:00"),
        ("data_interval_end", "2026-11-02T00:30:00+01:00"),
    ],
)
def test_each_built_in_has_its_value(name: str, value: Any) -> None:
    """Times in the workflow's zone, also on the other side of a change of its clocks."""
    before = datetime(2026, 10, 24, 23, 30, tzinfo=UTC)

    seen = resolved(a_task("t", type="shell"), run_count=2, interval_start=before).parameters

    assert seen[name] == value
    assert len(seen) == 8


def test_the_interval_of_a_manual_run_is_empty() -> None:
    """Nothing fired before it: it begins where it ends."""
    seen = resolved(a_task("t", type="shell")).parameters

    assert seen["data_interval_start"] == seen["data_interval_end"] == seen["planned_time"]


@pytest.mark.parametrize(
    ("kind", "fits", "does_not"),
    [
        ("string", "3", 3),
        ("integer", 3, "3"),
        ("float", 2.5, "2.5"),
        ("boolean", True, 1),
        ("date", "2026-11-01", "2026-11-31"),
        ("list", [1], "1"),
        ("map", {"a": 1}, [1]),
    ],
)
def test_each_declared_type_is_checked(kind: str, fits: Any, does_not: Any) -> None:
    """What fits arrives as it is; what does not fails the task with the parameter's name."""
    task = a_task("t", type="python", params={"x": "${p}"})

    assert resolved(task, {"p": ParameterDefinition(type=kind, default=fits)}).params == {"x": fits}
    with pytest.raises(UnresolvedParameter, match=f"parameter 'p': expected an? .*{kind}"):
        resolved(task, {"p": ParameterDefinition(type=kind, default=does_not)})


@pytest.mark.parametrize(
    ("kind", "written", "value"),
    [
        ("string", "$[yyyy]", "2026"),
        ("integer", "$[yyyy]", 2026),
        ("float", "$[MM].$[dd]", 11.02),
        ("date", "$[yyyy-MM-dd]", "2026-11-02"),
        ("list", "[$[yyyy]]", [2026]),
        ("integer", "${run_count}", 1),
        ("integer", "1${run_count}", 11),
    ],
)
def test_what_a_placeholder_gives_is_read_by_the_declared_type(kind: str, written: str, value: Any) -> None:
    """It is text, like a start parameter on the command line."""
    task = a_task("t", type="python", params={"x": "${p}"})

    assert resolved(task, {"p": ParameterDefinition(type=kind, default=written)}).params == {"x": value}
    with pytest.raises(UnresolvedParameter, match="parameter 'p': expected true or false, got string"):
        resolved(task, {"p": ParameterDefinition(type="boolean", default="$[yyyy]")})


@pytest.mark.parametrize("kind", ["python", "celery", "shell"])
def test_inputs_have_a_limit(kind: str) -> None:
    """1 MiB in all, 120 KiB for a shell value: what is larger fails the task before it is sent."""
    most, built_ins = (120 * 1024, 0) if kind == "shell" else (1024 * 1024, 200)

    assert resolved(a_task("t", type=kind, params={"x": "y" * (most - built_ins)})).params
    with pytest.raises(UnresolvedParameter, match="inputs too large"):
        resolved(a_task("t", type=kind, params={"x": "y" * (most + 1)}))


def test_a_script_is_never_touched() -> None:
    """References and placeholders in `run` are the shell's own: no text is pasted into programs."""
    spec = {"run": 'echo "${x}" $[yyyy]'}

    assert resolved(a_task("t", type="shell", spec=spec, params={"x": "$(rm -rf)"})).spec == spec
