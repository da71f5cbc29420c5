"""Why a task does not go on that waits for another run: how that run stands, and who holds it."""

from typing import Any

import pytest

from orchestrator.core.definition import TaskDefinition
from orchestrator.core.elements import with_extent
from orchestrator.core.instance import TaskInstance
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.service.explaining.causes import Kind
from orchestrator.service.explaining.deciding import causes_of_run, causes_of_task
from orchestrator.service.explaining.facts import Facts
from orchestrator.store.child_places import ChildPlace
from tests.builders import a_task
from tests.unit.service.explained import ago, running, said, some_facts

CALL = a_task("call", type="sub_workflow", spec={"workflow": "kid"})
EACH = a_task("each", type="sub_workflow", spec={"workflow": "kid"}, map_over="${list}")
W = WorkflowState


def a_child(number: int = 18, state: WorkflowState = W.PAUSED) -> ChildPlace:
    """Return a run of `kid`, by default one that is paused since eight seconds."""
    return ChildPlace(id=number, workflow="kid", state=state, paused_at=ago(8))


def waiting(task: str = "call", child: int = 18, **fields: Any) -> TaskInstance:
    """Return an attempt that waits for a run since half a minute."""
    attempt = {"type": "sub_workflow", "worker": None, "incarnation": None, "child": child}
    return running(task, **{**attempt, **fields})


def with_children(
    task: TaskDefinition, attempts: list[TaskInstance], *children: ChildPlace, **fields: Any
) -> Facts:
    """Return the facts of a run whose tasks wait for these."""
    return some_facts(task, attempts=attempts, children={one.id: one for one in children}, **fields)


def a_map(children: int) -> Facts:
    """Return the facts of a map whose elements wait for paused runs, from run 100 on."""
    group = running("each", type="map", worker=None, incarnation=None, external_ids=with_extent(children))
    elements = [waiting(f"each[{index}]", 100 + index, sequence=index + 2) for index in range(children)]
    paused = (a_child(100 + index) for index in range(children))
    return with_children(EACH, [group, *elements], *paused)


def test_child_that_somebody_has_paused_is_named_with_the_command_that_moves_it_on() -> None:
    """Resuming the parent would not: it is not paused."""
    facts = with_children(CALL, [waiting()], a_child())

    (cause,) = causes_of_task(facts, "call")

    assert said([cause]) == [
        "call held: waits for its run 18 of 'kid', which is PAUSED: somebody has paused that very run"
    ]
    assert (cause.since, cause.remedy) == (ago(8), "orchestrator runs resume 18")


def test_child_that_is_paused_with_its_parent_is_resumed_with_it() -> None:
    """The parent's own PAUSE comes first; its child needs no command of its own."""
    head = {"state": W.PAUSED, "paused_at": ago(9)}
    facts = with_children(CALL, [waiting()], a_child(), head=head)

    causes = causes_of_run(facts)

    assert [cause.kind for cause in causes] == [Kind.PAUSED, Kind.HELD]
    assert causes[1].detail.endswith("it was paused with this one")
    assert causes[1].remedy == "orchestrator runs resume 17"


def test_child_that_is_paused_with_a_held_task_is_resumed_with_the_task() -> None:
    """`runs resume` of the whole run does not let the task go."""
    facts = with_children(CALL, [waiting()], a_child(state=W.PAUSING), head={"held": ("call",)})

    (cause,) = causes_of_task(facts, "call")

    assert "is PAUSING: it was paused with this task" in cause.detail
    assert cause.remedy == "orchestrator runs resume 17 --task call"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (W.RUNNING, "which is RUNNING"),
        (W.SUBMITTED, "which has not started"),
        (W.WAITING, "which waits for its turn"),
        (W.STOPPING, "which is being stopped"),
        (W.FAILURE, "which ended FAILURE, which its master is about to be told"),
    ],
)
def test_child_that_is_not_held_says_how_it_stands(state: WorkflowState, words: str) -> None:
    """What holds it is asked of it."""
    (cause,) = causes_of_task(with_children(CALL, [waiting()], a_child(state=state)), "call")

    assert said([cause]) == [f"call child: waits for its run 18 of 'kid', {words}"]
    assert cause.remedy == "orchestrator runs explain 18"


def test_many_paused_children_of_a_map_are_counted_and_the_first_named() -> None:
    """One sentence, not one for each; the command resumes some, and says where the others are."""
    causes = causes_of_run(a_map(300))

    assert [cause.kind for cause in causes] == [Kind.HELD, Kind.ELEMENTS]
    assert causes[0].detail == (
        "waits for 300 runs of its elements that somebody has paused: 100, 101, 102 and 297 more"
    )
    assert causes[0].remedy == (
        "orchestrator runs resume 100 101 102 103 104 105 106 107 108 109"
        "; then the others: orchestrator runs list --state PAUSED --workflow kid"
    )


def test_one_element_of_a_map_is_told_of_its_own_child() -> None:
    """Who asks for it wants to know about it."""
    causes = causes_of_task(a_map(2), "each[1]")

    assert [cause.remedy for cause in causes] == ["orchestrator runs resume 101"]
    assert causes_of_run(a_map(2))[0].remedy == "orchestrator runs resume 100 101"


def test_map_whose_children_go_on_says_nothing_of_them() -> None:
    """Its elements do."""
    group = running("each", type="map", worker=None, incarnation=None, external_ids=with_extent(1))
    facts = with_children(EACH, [group, waiting("each[0]")], a_child(state=W.RUNNING))

    assert [cause.kind for cause in causes_of_run(facts)] == [Kind.CHILD, Kind.ELEMENTS]


def test_state_of_the_task_decides_whether_it_waits() -> None:
    """A paused child of an attempt that has ended is nobody's."""
    ended = waiting(state=TaskState.SUCCESS, ended_at=ago(3))

    assert [cause.kind for cause in causes_of_task(with_children(CALL, [ended], a_child()), "call")] == [
        Kind.ENDED
    ]
