"""Why a map, or one of its elements, does not go on."""

from typing import Any

from orchestrator.core.definition import TaskDefinition
from orchestrator.core.elements import GATHERS
from orchestrator.core.instance import TaskInstance
from orchestrator.core.status import TaskState
from orchestrator.service.explaining.deciding import causes_of_run, causes_of_task
from orchestrator.service.explaining.facts import Facts
from tests.builders import a_task, an_attempt
from tests.unit.service.explained import ago, ended, running, said, some_facts


def a_map(**fields: Any) -> TaskDefinition:
    """Return a map of at most two elements at a time."""
    return a_task("load", **{"map_over": "${list}", "max_parallel": 2, **fields})


def a_group(**fields: Any) -> TaskInstance:
    """Return the row of a map with five elements that goes on."""
    values = {
        "type": "map",
        "state": TaskState.RUNNING,
        "started_at": ago(30),
        "external_ids": {"elements": "5"},
        "sequence": 1,
    }
    return an_attempt("load", **{**values, **fields})


def some_elements(*tasks: TaskDefinition) -> Facts:
    """Return facts: one element has succeeded, one failed, two run, one has not begun."""
    attempts = [
        a_group(),
        ended("load[0]", TaskState.SUCCESS, sequence=2),
        ended("load[1]", TaskState.FAILURE, sequence=3, reason="exit code 1"),
        running("load[2]", sequence=4),
        running("load[3]", sequence=5),
    ]
    return some_facts(a_map(), *tasks, attempts=attempts)


def test_map_says_how_far_its_elements_are() -> None:
    """And who waits for it hears so."""
    told = (
        "load elements: waits for its elements: 1 of 5 succeeded, 2 going on, 1 failed, 1 not begun"
        " (2 at a time)"
    )
    facts = some_elements(a_task("behind", "load"))

    assert told in said(causes_of_task(facts, "load"))
    assert told in said(causes_of_task(facts, "behind"))


def test_run_names_the_elements_that_go_on_or_have_failed() -> None:
    """What has succeeded is not worth a line."""
    named = [cause.task for cause in causes_of_run(some_elements())]

    assert sorted(name for name in named if name) == ["load", "load[1]", "load[2]", "load[3]"]


def test_element_that_runs_is_explained_like_a_task() -> None:
    """Its worker, and how it ended."""
    facts = some_elements()

    assert said(causes_of_task(facts, "load[2]")) == ["load[2] running: runs on w1, last heard of 2 s ago"]
    assert "exit code 1" in said(causes_of_task(facts, "load[1]"))[0]


def test_element_that_has_not_begun_waits_for_its_turn() -> None:
    """The limit and those before it are named."""
    assert (
        "load[4] elements: waits for its turn in the map 'load' (2 at a time): load[2], load[3] before it"
        in said(causes_of_task(some_elements(), "load[4]"))
    )


def test_map_waits_for_its_list_or_its_outputs() -> None:
    """The master is about to look at them."""
    submitted = some_facts(a_map(), attempts=[a_group(state=TaskState.SUBMITTED, external_ids={})])
    gathering = some_facts(a_map(), attempts=[a_group(reason=GATHERS)])

    assert "looks at its list" in said(causes_of_task(submitted, "load"))[0]
    assert "looks at the outputs of its elements" in said(causes_of_task(gathering, "load"))[0]


def test_map_over_its_limit_has_no_log_to_read() -> None:
    """No worker ever saw it: the list, or the limit, is what can be changed."""
    reason = "map: the list has 5000 elements, at most 1000 (ORCHESTRATOR_MAP_LIMIT)"
    row = ended("load", TaskState.FAILURE, type="map", reason=reason)

    (cause, *_) = causes_of_task(some_facts(a_map(), attempts=[row]), "load")

    assert reason in cause.detail
    assert cause.remedy == "shorten its list, or raise ORCHESTRATOR_MAP_LIMIT for every master"


def test_element_is_quoted_where_a_shell_reads_its_name() -> None:
    """`load[1]` without quotes is a pattern."""
    remedies = [
        cause.remedy for name in ("load[1]", "load[2]") for cause in causes_of_task(some_elements(), name)
    ]

    assert remedies[:2] == [
        "orchestrator runs logs 17 'load[1]'",
        "orchestrator runs logs 17 'load[2]' --follow",
    ]
