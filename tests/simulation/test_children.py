"""Tests of the simulated sub-workflows: what is drawn, what the model says of calls, and its teeth."""

from collections.abc import Iterator
from itertools import chain, islice

import pytest

from tests.simulation import workload
from tests.simulation.database import Database
from tests.simulation.model_attempts import SeenAttempt
from tests.simulation.model_children import call_faults, script_of
from tests.simulation.mutant_patch import Mutant, mutated
from tests.simulation.plan import Plan
from tests.simulation.simulation import examine
from tests.simulation.story import quiet
from tests.simulation.workload_children import CALLS

MOST = 60
"""So many plans with calls are tried on a mutant."""

MUTANTS = (
    Mutant(
        name="end-is-not-told",
        breaks="a child that has ended does not tell its parent",
        target="orchestrator.core.family:mail_to_parent",
        old="after.parent_id is not None and",
        new="after.parent_id is None and",
        caught_by=25,
    ),
    Mutant(
        name="stop-stays-here",
        breaks="a run that is stopped lets its children go on",
        target="orchestrator.core.passing_on:asked_of_child",
        old="return CommandKind.STOP",
        new="return CommandKind.RESUME",
        caught_by=103,
    ),
    Mutant(
        name="unborn",
        breaks="a task waits for a run that is never made",
        target="orchestrator.core.handlers.child:handle_child_ready",
        old="draft.bear(notice.child)",
        new="pass",
        caught_by=25,
    ),
    Mutant(
        name="ends-before-its-child",
        breaks="a task whose run is killed does not wait for its child",
        target="orchestrator.core.convergence:converge",
        old="if target is TaskState.KILLED and attempt.child is not None:",
        new="if False:",
        caught_by=476,
    ),
    Mutant(
        name="failure-is-success",
        breaks="a child that failed counts as a success",
        target="orchestrator.core.handlers.child:handle_child_changed",
        old="case WorkflowState.SUCCESS:",
        new="case WorkflowState.SUCCESS | WorkflowState.FAILURE:",
        caught_by=47,
    ),
)


def plans_with_calls() -> Iterator[Plan]:
    """Yield the plans from seed 1 on in which a task calls a workflow."""
    return (plan for plan in map(workload.draw, range(1, 3_000)) if plan.children)


def attempt(state: str, child_state: str | None = None) -> SeenAttempt:
    """Return an attempt of a call."""
    return SeenAttempt(task="t", attempt=1, state=state, child_state=child_state)


def test_calls_are_drawn_in_all_their_forms() -> None:
    """Some are maps, some are called by what is called, some are tried again, some runs end at a failure."""
    plans = list(islice(plans_with_calls(), 60))
    calls = [
        task for plan in plans for run in plan.runs for task in run.definition.tasks if task.type == CALLS
    ]

    assert any(task.map_over for task in calls)
    assert any(task.retries for task in calls)
    assert any(len(plan.children) == 2 for plan in plans)


def test_a_call_ends_as_the_run_that_it_waited_for() -> None:
    """A stopped run is a killed attempt; everything else is named."""
    right = [attempt("KILLED", "STOPPED"), attempt("KILLED"), attempt("FAILURE", "FAILURE")]
    wrong = [attempt("SUCCESS", "FAILURE"), attempt("SUCCESS"), attempt("LOST")]

    assert list(call_faults(right)) == []
    assert len(list(call_faults(wrong))) == len(wrong)


def test_the_script_of_a_call_is_what_its_runs_did() -> None:
    """Each run that failed is a failed attempt, whatever its own attempt says."""
    rows = [attempt("SUCCESS", "FAILURE"), attempt("SUCCESS", "SUCCESS")]

    assert script_of(rows).failures == 1


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_slip_between_parents_and_children_is_noticed(mutant: Mutant) -> None:
    """The recorded seed has something to say against each mutant, else one of the first plans with calls."""
    quiet()
    plans = chain([workload.draw(mutant.caught_by or 1)], islice(plans_with_calls(), MOST))

    with mutated(mutant):
        noticed = any(examine(plan, Database(), patience_s=120.0).violations for plan in plans)

    assert noticed
