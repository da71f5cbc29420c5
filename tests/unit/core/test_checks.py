"""Checks of outputs: what a worker calls a success is one only if the expression holds."""

from typing import Any

import pytest

from orchestrator.core.definition import TaskDefinition
from orchestrator.core.event import TaskResult
from orchestrator.core.inputs import wanted_by_check
from orchestrator.core.instance import TaskInstance
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.core.surroundings import Surroundings, check_scope
from orchestrator.core.transition import Inspection
from orchestrator.errors import RepeatedEvent, UnresolvedParameter
from tests.builders import a_definition, a_head, a_task, an_attempt
from tests.unit.core.play import Play

CHECK = {"expression": "${rows} > 0"}


def has_rows(_task: TaskDefinition, attempt: TaskInstance, /) -> bool:
    """Hold if there are rows, as the expression says."""
    if "rows" not in attempt.outputs:
        raise UnresolvedParameter("${rows} has no value")
    return bool(attempt.outputs["rows"] > 0)


def checked(inspect: Inspection = has_rows, **fields: Any) -> Play:
    """A run whose first task is checked, started."""
    task = a_task("a", **{"check": CHECK, **fields})
    play = Play(a_definition(task, a_task("b", "a")), inspect=inspect)
    return play.start()


def ended(play: Play, **outputs: Any) -> None:
    """Let the worker call it a success with these outputs."""
    play.report("a", TaskResult, state=TaskState.SUCCESS, outputs=outputs, exit_code=0)


def test_a_check_that_holds_changes_nothing() -> None:
    """SUCCESS with its outputs."""
    play = checked()

    ended(play, rows=3)

    assert play.states == {"a": "SUCCESS", "b": "SUBMITTED"}
    assert (play["a"].reason, play["a"].outputs) == (None, {"rows": 3})


def test_a_check_that_is_false_is_a_failure_that_shows_what_came() -> None:
    """In the transition of the result: nothing that follows has begun."""
    play = checked()

    ended(play, rows=0)

    assert (play.state, play.states) == (WorkflowState.FAILURE, {"a": "FAILURE"})
    assert (play["a"].reason, play["a"].outputs) == ("check: ${rows} > 0", {"rows": 0})
    with pytest.raises(RepeatedEvent):
        ended(play, rows=0)


def test_a_check_that_cannot_be_worked_out_is_a_failure_that_says_why() -> None:
    """Also where a false one would only be told."""
    for on_false in ("fail", "alert"):
        play = checked(check={**CHECK, "on_false": on_false})

        ended(play)

        assert (play["a"].state, play["a"].reason) == (TaskState.FAILURE, "check: ${rows} has no value")


def test_retries_apply_unless_they_are_excluded() -> None:
    """The next attempt may give better data."""
    again, final = checked(retries=1), checked(retries=1, non_retryable=("CheckFailed",))

    ended(again, rows=0)
    ended(final, rows=0)

    assert (again["a"].attempt, again["a"].state) == (2, TaskState.SUBMITTED)
    assert final.state is WorkflowState.FAILURE
    ended(again, rows=1)
    assert again.states == {"a": "SUCCESS", "b": "SUBMITTED"}


def test_an_alert_lets_the_task_succeed() -> None:
    """`on_false: alert`."""
    play = checked(check={**CHECK, "on_false": "alert"})

    ended(play, rows=0)

    assert (play["a"].state, play["a"].reason) == (TaskState.SUCCESS, "check: ${rows} > 0")
    assert [(alert.kind, alert.body["reason"]) for alert in play.alerts] == [
        ("check_failed", "check: ${rows} > 0")
    ]


def test_a_failure_is_not_checked() -> None:
    """There is nothing to be checked."""
    play = checked(inspect=lambda _task, _attempt: 1 / 0 > 0)

    play.fail("a")

    assert play["a"].reason is None


def test_a_check_sees_its_outputs_before_all_that_the_task_saw() -> None:
    """Own outputs, own params, upstream outputs, parameters of the run."""
    task = a_task("a", "up", params={"least": "${up.least}", "rows": 1}, check=CHECK)
    definition = a_definition(a_task("up"), task)
    around = Surroundings(
        definition=definition,
        head=a_head(definition, params={"region": "eu"}),
        attempt=an_attempt("a"),
        latest={"least": "up", "other": "up"},
        outputs={"up": {"least": 2, "other": 5}},
    )

    scope = check_scope(task, around, {"rows": 7})

    assert {name: scope.value(name) for name in ("rows", "least", "up.other", "region")} == {
        "rows": 7,
        "least": 2,
        "up.other": 5,
        "region": "eu",
    }


def test_only_what_a_check_refers_to_is_fetched() -> None:
    """Its own references, and those of the params."""
    task = a_task("a", "up", "far", params={"least": "${up.least}"}, check=CHECK)
    latest = {"rows": "far", "text": "far", "least": "up"}

    assert wanted_by_check(task, latest, ["count"]) == {"up"}
    assert wanted_by_check(task, latest, ["rows", "other.x"]) == {"up", "far", "other"}
