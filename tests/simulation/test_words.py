"""Tests of what goes into called runs and comes back: what is drawn, and which word the model expects."""

from collections.abc import Mapping

from orchestrator.core.definition import ParameterDefinition, TaskDefinition, WorkflowDefinition
from tests.simulation import workload
from tests.simulation.database import Database
from tests.simulation.kinship import PlannedRuns
from tests.simulation.model_words import Parent, Words
from tests.simulation.plan import Plan, PlannedRun
from tests.simulation.workload_children import CALLS
from tests.simulation.workload_words import CALLER, HEARD, WORD

PARENTS: Mapping[int, Parent] = {1: None, 2: (1, "call")}


def run(name: str, *, told: str | None = None, default: str | None = None) -> PlannedRun:
    """Return a run with a call, a word for the called one and one of its own, if given."""
    params = {} if told is None else {WORD: told}
    return PlannedRun(
        definition=WorkflowDefinition(
            name=name,
            tasks=(TaskDefinition(name="call", type=CALLS, params=params),),
            params={} if default is None else {WORD: ParameterDefinition(type="string", default=default)},
        )
    )


def word_of_child(parent: PlannedRun) -> str | None:
    """Return the word of a run that the call of a parent has started."""
    planned = PlannedRuns(Plan(seed=1, runs=(parent,)), Database())
    planned.submitted(1, parent)
    planned.submitted(2, run("child", default="its own"))
    return Words(planned, PARENTS.__getitem__).of(2)


def test_words_are_given_inherited_and_left_out() -> None:
    """Calls give a word, name themselves or say nothing; called runs hear it, and somebody is given it back."""
    plans = [plan for plan in map(workload.draw, range(1, 1_500)) if plan.children]
    words = [plan for plan in plans if any(WORD in one.definition.params for one in plan.children.values())]
    tasks = [task for plan in words for one in plan.runs for task in one.definition.tasks]
    called = [task for plan in words for one in plan.children.values() for task in one.definition.tasks]
    told = {str(task.params.get(WORD, "")) for task in tasks if task.type == CALLS}

    assert 0 < len(words) < len(plans)
    assert {"", CALLER} < told
    assert {WORD in one.definition.params for plan in words for one in plan.runs} == {True, False}
    assert any(task.params.get("heard") == HEARD for task in called)


def test_what_the_task_gives_counts_most() -> None:
    """A call's own word goes before that of its run, with the run's number where it names it."""
    assert word_of_child(run("parent", told="the task's", default="the parent's")) == "the task's"
    assert word_of_child(run("parent", told=CALLER)) == "called by 1"


def test_what_is_not_given_is_inherited() -> None:
    """Without a word of its task a run has that of its parent, and without that its own."""
    assert word_of_child(run("parent", default="the parent's")) == "the parent's"
    assert word_of_child(run("parent")) == "its own"
