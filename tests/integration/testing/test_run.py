"""`orchestrator.testing.run`: a workflow in one process, on the real core, loop and store, without servers."""

import re
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import structlog

from orchestrator import shell, task, workflow
from orchestrator.core.deferral import Defer
from orchestrator.core.definition import OnFailure, ParameterDefinition, Trigger
from orchestrator.core.order import Order
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.errors import UserError
from orchestrator.testing import TestRun, run
from orchestrator.testing.rig import NeverEnds, Rig
from orchestrator.testing.worker import Ending
from tests.builders import a_definition, a_task

SUCCESS, FAILURE, SKIPPED = TaskState.SUCCESS, TaskState.FAILURE, TaskState.SKIPPED


@task
def extract(day: str) -> dict[str, Any]:
    """Return what a user's task returns."""
    return {"rows": [1, 2, 3], "day": day}


@task(retries=2, retry_delay=3600)
def load(rows: list[int]) -> int:
    """Return a single value."""
    return sum(rows)


@task
def broken() -> None:
    """Fail by itself."""
    raise ZeroDivisionError


@task
def speaks() -> None:
    """Write a line to the log, as a user's task does."""
    structlog.get_logger("users.module").info("hello")


@task(pool="warehouse")
def shared() -> int:
    """Return what a task returns that needs a slot of a pool."""
    return 1


@workflow
def sharing() -> None:
    """Define three tasks that share a pool."""
    first = shared()
    shared(needs=[first])
    shared(needs=[first])


@workflow
def fragile() -> None:
    """Define one task, which fails."""
    broken()


@workflow
def nightly(day: str = "2026-11-01") -> None:
    """Define two tasks, the second fed by the first, and a report."""
    extracted = extract(day)
    loaded = load(extracted["rows"])
    shell("report", 'echo "$n"', params={"n": loaded})


def test_callables_run_for_real_and_outputs_flow() -> None:
    """A mapping's items are outputs; another value is `result`; a shell script is not run."""
    ended = run(nightly)

    assert ended.state is WorkflowState.SUCCESS
    assert ended.states == {"extract": SUCCESS, "load": SUCCESS, "report": SUCCESS}
    assert ended.outputs["extract"] == {"rows": [1, 2, 3], "day": "2026-11-01"}
    assert ended.outputs["load"] == {"result": 6}
    assert ended.attempts == {"extract": 1, "load": 1, "report": 1}
    assert ended.reason is None


def test_start_parameters_are_given_by_name() -> None:
    """Like `-p`."""
    assert run(nightly, params={"day": "2025-01-01"}).outputs["extract"]["day"] == "2025-01-01"


def test_named_outputs_stand_in_for_the_task() -> None:
    """The task is not called; its downstreams see what was named."""
    ended = run(nightly, outputs={"extract": {"rows": [40, 2], "day": "x"}})

    assert ended.outputs["load"] == {"result": 42}


@pytest.mark.parametrize(
    ("given", "outputs"), [(3, {"result": 3}), ([1], {"result": [1]}), (None, {}), ({"n": 1}, {"n": 1})]
)
def test_output_that_is_no_map_means_what_returning_it_would(given: Any, outputs: dict[str, Any]) -> None:
    """A single value is the output `result`, as for a function that returns it."""
    ended = run(nightly, outputs={"load": given}, fail={"report": []})

    assert ended.states["load"] == SUCCESS
    assert ended.outputs["load"] == outputs


def test_output_that_no_function_could_return_fails_the_task() -> None:
    """As a worker does when it cannot write the result as JSON."""
    ended = run(fragile, outputs={"broken": {1, 2}})

    assert ended.states == {"broken": FAILURE}
    assert "cannot be written as JSON" in ended.reasons["broken"]


@pytest.mark.parametrize("failure", [ValueError, ValueError("no rows")])
def test_a_task_fails_as_often_as_it_has_retries(failure: Any) -> None:
    """Always: three attempts, two simulated hours, no real time; what stands behind it does not run."""
    began = monotonic()
    ended = run(nightly, fail={"load": failure})

    assert ended.state is WorkflowState.FAILURE
    assert ended.states == {"extract": SUCCESS, "load": FAILURE}
    assert ended.attempts["load"] == 3
    assert ended.reason == "failed: load"
    assert monotonic() - began < 30


def test_a_list_fails_attempt_by_attempt() -> None:
    """`None` is a success; behind the end of the list the task itself runs."""
    assert run(nightly, fail={"load": [ValueError, None]}).attempts["load"] == 2
    assert run(nightly, fail={"load": [OSError, ValueError]}).outputs["load"] == {"result": 6}


def test_an_exception_of_the_callable_is_a_failure() -> None:
    """It ends the task with its name, not the test."""
    ended = run(fragile)

    assert (ended.state, ended.states) == (WorkflowState.FAILURE, {"broken": FAILURE})


def test_a_plain_definition_runs_too() -> None:
    """Triggers, disabled tasks and failure strategies are the real ones."""
    definition = a_definition(
        a_task("a"),
        a_task("off", "a", disabled=True),
        a_task("b", "off"),
        a_task("alarm", "a", trigger=Trigger.ONE_FAILED),
        a_task("clean", "b", trigger=Trigger.ALL_DONE),
        on_failure=OnFailure.END,
    )

    assert run(definition).states == {"a": SUCCESS, "alarm": SKIPPED, "b": SUCCESS, "clean": SUCCESS}
    assert run(definition, fail={"a": ValueError}).states == {"a": FAILURE, "clean": SUCCESS}


def test_the_same_seed_gives_the_same_run() -> None:
    """Everything random comes from it."""
    assert run(nightly, fail={"load": ValueError}, seed=7) == run(nightly, fail={"load": ValueError}, seed=7)


def test_a_bundle_is_not_looked_for() -> None:
    """What a unit test calls is imported as everything else; its scripts do not run."""
    assert run(a_definition(a_task(bundle="tools"))).state is WorkflowState.SUCCESS


def test_deferral_takes_simulated_time_and_no_attempt() -> None:
    """A sensor that says "later" three times is one attempt with four dispatches."""

    def behaviour(order: Order) -> Ending:
        if order.dispatch < 4:
            raise Defer(600)
        return Ending()

    rig = Rig(behaviour=behaviour)
    number = rig.submit(a_definition())
    rig.run(number)

    row = rig.instances.attempts([(number, "a", 1)])[number, "a", 1]
    assert (row.state, row.dispatch) == (SUCCESS, 4)
    assert rig.clock.monotonic() >= 1800


def test_a_run_that_never_ends_is_an_error_and_not_a_hang() -> None:
    """A test that waits for ever tells nobody anything."""

    def behaviour(_order: object) -> Ending:
        raise Defer(3600)

    rig = Rig(behaviour=behaviour)
    number = rig.submit(a_definition())

    with pytest.raises(NeverEnds, match="RUNNING"):
        rig.run(number, most_s=24 * 3600)


def test_a_master_that_takes_over_goes_on_from_the_rows() -> None:
    """The rig's master is killed while both upstreams of a join have run; the next one starts the join once."""
    rig = Rig()
    number = rig.submit(a_definition(a_task("a"), a_task("b"), a_task("c", "a", "b")))
    for _ in range(4):
        rig.turn()
    rig.start_master()
    rig.run(number)

    assert rig.state(number) is WorkflowState.SUCCESS
    assert len(rig.worker.ran) == len(set(rig.worker.ran)) == 3


def test_a_file_is_run_by_its_path() -> None:
    """A path is the first thing one tries; what is no workflow is refused by name."""
    example = Path(__file__).parents[3] / "examples" / "hello.yaml"

    assert run(example).state is WorkflowState.SUCCESS
    with pytest.raises(UserError, match="not 3"):
        run(3)


@workflow
def spoken() -> None:
    """Define one task, which speaks."""
    speaks()


def test_nothing_of_the_engine_is_printed_but_what_the_tasks_say(capsys: pytest.CaptureFixture[str]) -> None:
    """A user's test shows the user's lines only, where the user has configured nothing."""
    structlog.reset_defaults()

    run(spoken)

    assert "hello" in capsys.readouterr().out.splitlines()[0]
    assert not structlog.is_configured()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fail": {"laod": ValueError}}, "fail: 'nightly' has no task 'laod' (did you mean 'load'?)"),
        ({"outputs": {"nobody": {}}}, "outputs: 'nightly' has no task 'nobody'"),
        ({"params": {"dya": "x"}}, "parameter 'dya' is not declared by workflow 'nightly'"),
        ({"fail": {"load": 3}}, "fail: 'load' is to fail with 3, which is no exception; write ValueError"),
        ({"fail": {"load": "ValueError"}}, "fail with 'ValueError', which is no exception"),
        ({"fail": {"load": int}}, "fail with <class 'int'>, which is no exception"),
        ({"fail": {"load": [None, True]}}, "fail with True, which is no exception"),
        ({"fail": ["load"]}, "fail: must be a map from task names, not list"),
        ({"outputs": "load"}, "outputs: must be a map from task names, not string"),
    ],
)
def test_names_that_mean_nothing_are_refused(arguments: dict[str, Any], message: str) -> None:
    """A misspelt name would make a test that tests nothing."""
    with pytest.raises(UserError, match=re.escape(message)):
        run(nightly, **arguments)


def test_sql_and_http_are_simulated_and_secrets_are_names(tmp_path: Path) -> None:
    """No database, no server and no secret is needed; a callable gets the reference as it is written."""
    file = tmp_path / "calls.yaml"
    file.write_text(
        "workflow: {name: calls}\n"
        "tasks:\n"
        "  - {name: rows, type: sql, connection: shop, sql: 'SELECT 1 AS n'}\n"
        "  - {name: hook, type: http, url: 'https://example.org/${rows.n}', needs: [rows]}\n"
        "  - {name: keep, type: python, call: 'builtins:dict', params: {t: 'secret://token'}, needs: [hook]}\n"
    )

    told = run(file, outputs={"rows": {"n": 1}, "hook": {"status": 200}})

    assert (told.state, told.outputs["keep"]) == (WorkflowState.SUCCESS, {"t": "secret://token"})
    assert run(file, fail={"rows": ValueError}).states == {"rows": FAILURE}


def test_what_a_dependent_task_waits_for_has_been_done() -> None:
    """A unit test has no other workflows."""
    spec = {
        "all": [{"workflow": "n", "window": "last_7_days"}, {"workflow": "r", "task": "t", "window": "today"}]
    }

    found = run(a_definition(a_task("wait", type="dependent", spec=spec), a_task("go", "wait")))

    assert set(found.states.values()) == {SUCCESS}


def test_a_check_of_outputs_is_worked_out() -> None:
    """As in production: false is a failure, and retries apply."""
    check = {"expression": "size(${result}) >= least"}
    definition = a_definition(
        a_task("rows", params={"least": "${limit}"}, check=check, retries=1),
        a_task("load", "rows"),
        params={"limit": ParameterDefinition(default=2)},
    )

    def ran(rows: list[int]) -> TestRun:
        return run(definition, outputs={"rows": rows})

    assert ran([1, 2]).states == {"rows": SUCCESS, "load": SUCCESS}
    assert (ran([1]).states, ran([1]).attempts) == ({"rows": FAILURE}, {"rows": 2})
    assert ran([1]).reasons["rows"] == "check: size(${result}) >= least"


def test_pools_need_not_be_made_for_a_test() -> None:
    """Tasks that need a slot get one."""
    assert set(run(sharing).states.values()) == {SUCCESS}
