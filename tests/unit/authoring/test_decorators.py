"""Workflows written in Python."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator import Defer, noop, python, shell, task, workflow
from orchestrator.authoring.load import load_file
from orchestrator.authoring.modules import module_of
from orchestrator.core.definition import ParameterDefinition, TaskDefinition, WorkflowDefinition
from orchestrator.errors import DefinitionError


@task(retries=3, retry_delay=10)
def extract(day: str) -> dict[str, Any]:
    """Return shops."""
    return {"shops": [day]}


@task
def load(rows: list[Any], factor: int = 2) -> int:
    """Count rows."""
    return len(rows) * factor


@workflow(timezone="Europe/Paris", owner="us")
def nightly(day: str = "$[yyyy-MM-dd-1]", limit: int = 3) -> None:
    """Load the shops."""
    rows = extract(day)
    loaded = load.map(rows["shops"], max_parallel=4)
    shell("report", 'echo "$n"', params={"n": loaded, "top": f"{limit}-{rows['shops'][0]}"}, needs=[loaded])


def by_name(definition: WorkflowDefinition) -> dict[str, TaskDefinition]:
    """Return the tasks by name."""
    return {one.name: one for one in definition.tasks}


def test_task_outside_a_workflow_is_the_plain_function() -> None:
    """Unit tests and workers call it as it was written."""
    assert load([1, 2]) == 4
    assert load.map([[1], [2, 3]], factor=1) == [1, 2]
    assert load.function([1]) == 2
    assert load.__name__ == "load"


def test_results_make_edges_and_references() -> None:
    """Data flows by passing results; f-strings and nested values too."""
    tasks = by_name(nightly.definition())

    assert tasks["extract"].params == {"day": "${day}"}
    assert (tasks["extract"].retries, tasks["extract"].retry_delay_s) == (3, 10.0)
    assert tasks["load"].map_over == "${extract.shops}"
    assert (tasks["load"].params, tasks["load"].max_parallel) == ({"rows": "${item}"}, 4)
    assert tasks["report"].params == {"n": "${load.*}", "top": "${limit}-${extract.shops.0}"}
    assert tasks["report"].needs == ("load", "extract")


def test_callable_is_named_by_its_module() -> None:
    """A worker finds it by import."""
    assert by_name(nightly.definition())["extract"].spec == {"call": f"{__name__}:extract"}


def test_arguments_of_the_workflow_are_its_parameters() -> None:
    """Defaults and annotations declare them; what has no default is required."""

    @workflow
    def declared(a, b: int, c: "list[int]" = [1], d: str | None = None, e: float = 1) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001, B006
        noop("n", params={"a": a, "b": b, "c": c, "d": d, "e": e})

    assert declared.definition().params == {
        "a": ParameterDefinition(required=True),
        "b": ParameterDefinition(type="integer", required=True),
        "c": ParameterDefinition(default=[1]),
        "d": ParameterDefinition(default=None),
        "e": ParameterDefinition(type="float", default=1.0),
    }


def test_needs_add_edges_without_data() -> None:
    """`load(rows, needs=[other])`, and a second call gets a number."""

    @workflow
    def edges() -> None:
        first = noop("first")
        rows = extract("x", needs=[first])
        load(rows)
        load(rows["shops"], 5, needs=[first])
        python("inline", "print(1)", needs=[rows])

    tasks = by_name(edges.definition())

    assert tasks["extract"].needs == ("first",)
    assert (tasks["load"].params, tasks["load"].needs) == ({"rows": "${extract.*}"}, ("extract",))
    assert (tasks["load_2"].params, tasks["load_2"].needs) == (
        {"rows": "${extract.shops}", "factor": 5},
        ("first", "extract"),
    )
    assert tasks["inline"].spec == {"script": "print(1)"}


def test_options_can_be_changed_per_use() -> None:
    """The same function as another task."""

    @workflow
    def options() -> None:
        load.with_options(name="other", retries=7)([])

    (only,) = options.definition().tasks
    assert (only.name, only.retries, only.params) == ("other", 7, {"rows": []})


def test_workflow_inside_a_workflow_is_a_sub_workflow() -> None:
    """Its parameters are start parameters of the child."""

    @workflow
    def outer() -> None:
        nightly(day=extract("x")["shops"], needs=[noop("n")])

    child = by_name(outer.definition())["nightly"]
    assert (child.type, child.spec) == ("sub_workflow", {"workflow": "nightly"})
    assert (child.params, child.needs) == ({"day": "${extract.shops}"}, ("n", "extract"))


@pytest.mark.parametrize("use", [lambda value: [*value], bool, len, lambda value: f"{value:>3}"])
def test_using_a_value_that_is_not_there_yet_is_explained(use: Any) -> None:
    """The drawing knows no values; the message says so instead of doing something else."""

    @workflow
    def wrong() -> None:
        use(extract("x"))

    with pytest.raises(DefinitionError, match="not known while the workflow is drawn"):
        wrong.definition()


def test_function_that_cannot_be_imported_is_refused() -> None:
    """A local function has no name on a worker."""

    @task
    def local() -> None:
        """Do nothing."""

    @workflow
    def wrong() -> None:
        local()

    with pytest.raises(DefinitionError, match="top level of a module"):
        wrong.definition()


def test_value_that_cannot_be_stored_is_refused_with_its_line() -> None:
    """Definitions are JSON; the fault names the call."""

    @workflow
    def wrong() -> None:
        noop("a", params={"x": {1, 2}})

    with pytest.raises(DefinitionError, match="expected text, numbers") as caught:
        wrong.definition()

    (fault,) = caught.value.faults
    assert (fault.task, fault.line) == ("a", wrong.function.__code__.co_firstlineno + 2)


async def _asynchronous() -> None:
    """Wait for nothing."""


async def _asynchronous_generator() -> AsyncIterator[int]:
    """Yield nothing."""
    yield 1


def _generator() -> Iterator[int]:
    """Yield one value."""
    yield 1


@pytest.mark.parametrize(
    ("function", "remedy"),
    [
        (_asynchronous, "is an async function.+asyncio.run"),
        (_asynchronous_generator, "is a generator.+return a list"),
        (_generator, "is a generator.+return a list"),
    ],
)
def test_function_whose_call_is_no_result_is_refused_when_it_is_decorated(
    function: Callable[..., Any], remedy: str
) -> None:
    """No worker could run it; the message says what to write instead."""
    with pytest.raises(TypeError, match=f"{function.__name__}: {remedy}"):
        task(function)
    with pytest.raises(TypeError, match="a @workflow function is called once"):
        workflow(function)


def test_refused_function_of_a_file_has_its_line(tmp_path: Path) -> None:
    """Validation names file and line, as for every fault."""
    path = tmp_path / "awaiting.py"
    path.write_text("from orchestrator import task\n\n@task\nasync def load():\n    pass\n")

    with pytest.raises(DefinitionError, match=r"awaiting.py:[34]: load: is an async function"):
        load_file(path)


def test_wrong_arguments_and_misuse_are_one_clear_error() -> None:
    """As Python says it, but as a fault of the definition."""

    @workflow
    def wrong() -> None:
        extract()

    with pytest.raises(DefinitionError, match="missing a required argument: 'day'"):
        wrong.definition()
    with pytest.raises(TypeError, match="belongs into a @workflow function"):
        shell("a", "x")
    with pytest.raises(TypeError, match=r"submit\(…\) or nightly\.run"):
        nightly()


def test_python_file_gives_its_workflows(tmp_path: Path) -> None:
    """In the order of the file; imported workflows belong to the other file; modules beside it can be imported."""
    (tmp_path / "flows_beside.py").write_text("from orchestrator import task\n@task\ndef step(): pass\n")
    file = tmp_path / "flows_here.py"
    file.write_text(
        "from orchestrator import noop, workflow\nimport flows_beside\n"
        "@workflow\ndef zebra():\n    flows_beside.step()\n"
        "@workflow\ndef ant():\n    noop('n', retrys=1) if False else noop('n')\n"
    )

    definitions = load_file(file)

    assert [definition.name for definition in definitions] == ["zebra", "ant"]
    assert definitions[0].tasks[0].spec == {"call": "flows_beside:step"}
    assert definitions[0].source_dir == str(tmp_path)


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("\n1 / 0\n", "ZeroDivisionError", 2),
        ("def (:\n", "SyntaxError", 1),
        ("\n\nraise SystemExit(3)\n", "SystemExit", 3),
        ("import no_such_module_here\n", "ModuleNotFoundError", 1),
        ("x = 1\n", "holds no workflow", None),
    ],
)
def test_python_file_that_fails_is_a_fault_with_its_line(
    tmp_path: Path, text: str, message: str, line: int | None
) -> None:
    """Never a traceback."""
    file = tmp_path / "failing_flows.py"
    file.write_text(text)

    with pytest.raises(DefinitionError, match=message) as caught:
        load_file(file)

    assert caught.value.faults[0].line == line


def test_python_file_may_not_hide_a_module_in_use(tmp_path: Path) -> None:
    """`json.py` would break whoever imports json afterwards."""
    file = tmp_path / "json.py"
    file.write_text("")

    with pytest.raises(DefinitionError, match="hides the module 'json'"):
        load_file(file)


def test_module_of_a_file_in_a_package_is_dotted(tmp_path: Path) -> None:
    """The directory above the outermost package goes on the import path."""
    package = tmp_path / "outer" / "inner"
    package.mkdir(parents=True)
    for directory in (package, package.parent):
        (directory / "__init__.py").touch()

    assert module_of(package / "flows.py") == (tmp_path, "outer.inner.flows")
    assert module_of(tmp_path / "flows.py") == (tmp_path, "flows")


def test_deferral_takes_a_finite_wait() -> None:
    """Seconds from 0."""
    assert Defer(2).seconds == 2.0
    for wrong in (-1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="seconds"):
            Defer(wrong)
