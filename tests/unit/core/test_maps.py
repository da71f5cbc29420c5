"""Maps in the core: how elements begin, what their ends mean for the group, and what runs again."""

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.core.command import CommandKind
from orchestrator.core.dag import compile_graph
from orchestrator.core.definition import OnFailure, TaskDefinition
from orchestrator.core.elements import GATHERS, Elements, group_of
from orchestrator.core.event import TaskDelayed, TaskResult
from orchestrator.core.notice import (
    AttemptDue,
    AttemptLost,
    ChildReady,
    Gathered,
    RecallWon,
    Spread,
    Unsubmittable,
    Withdrawn,
)
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.core.wants import Dispatch, Judge, Kill, Withdraw
from orchestrator.errors import AheadOfMemory, Conflict, RepeatedEvent, UnknownInstance
from tests.builders import INSTANCE_ID, a_definition, a_head, a_task
from tests.unit.core.play import Play, a_play, started

K = CommandKind
S = TaskState


def a_map(name: str = "load", *needs: str, **fields: Any) -> TaskDefinition:
    """Return a task that runs once for each element of a list."""
    return a_task(name, *needs, **{"map_over": "${list}", **fields})


def spread(total: int, *tasks: TaskDefinition, row_limit: int = 1000, **fields: Any) -> Play:
    """Return a started play whose map `load` has so many elements."""
    play = started(*(tasks or (a_map(),)), row_limit=row_limit, **fields)
    play.notify("load", Spread, total=total)
    return play


def elements(play: Play) -> dict[str, str]:
    """Return the states of the elements by index."""
    return {name[5:-1]: state for name, state in play.states.items() if group_of(name) == "load"}


def numbers(play: Play) -> Elements | None:
    """Return the numbers of the map."""
    return play.instance.nodes["load"].elements


def gathered(play: Play, **fields: Any) -> None:
    """Let the outputs of the map be put together."""
    play.notify("load", Gathered, **fields)


def test_group_of_a_map_waits_for_its_list() -> None:
    """Its row is of the type `map`; no worker sees it."""
    play = started(a_map(type="shell", retries=3, timeout_s=5.0, delay_s=9.0, queue_timeout_s=4.0))

    assert (play["load"].type, play["load"].state) == ("map", S.SUBMITTED)
    assert play["load"].timeout_at is None
    assert play.wants("load") == Judge()


def test_elements_begin_in_the_step_in_which_their_number_is_known() -> None:
    """Each is an attempt of the task's own type, which a worker gets."""
    play = spread(3, a_map(type="shell"))

    assert play.states == {
        "load": "RUNNING",
        "load[0]": "SUBMITTED",
        "load[1]": "SUBMITTED",
        "load[2]": "SUBMITTED",
    }
    assert play["load[1]"].type == "shell"
    assert play.wants("load[1]") == Dispatch()
    assert play.wants("load") is None


def test_map_ends_when_the_outputs_of_its_elements_are_there() -> None:
    """What is behind it starts in that step, not before."""
    play = spread(2, a_map(), a_task("behind", "load"))
    play.succeed("load[0]", "load[1]")
    assert (play["load"].state, play["load"].reason) == (S.RUNNING, GATHERS)
    assert play.wants("load") == Judge()
    assert "behind" not in play.states

    gathered(play, outputs={"result": [1, 2]})

    assert (play["load"].state, play["load"].outputs) == (S.SUCCESS, {"result": [1, 2]})
    assert play["load"].reason is None
    assert play.states["behind"] == "SUBMITTED"


def test_map_without_elements_succeeds_at_once() -> None:
    """Its outputs are empty lists."""
    play = started(a_map(), a_task("behind", "load"))
    play.notify("load", Spread, total=0, outputs={"result": []})

    assert (play["load"].state, play["load"].outputs) == (S.SUCCESS, {"result": []})
    assert play.states["behind"] == "SUBMITTED"


def test_list_that_is_none_fails_the_map() -> None:
    """The reason is the notice's; nothing has begun."""
    play = started(a_map(), a_task("behind", "load"))
    play.notify("load", Unsubmittable, reason="map: needs a list, not integer")

    assert (play.state, play.states) == (WorkflowState.FAILURE, {"load": "FAILURE"})
    assert play["load"].reason == "map: needs a list, not integer"


def test_outputs_that_cannot_be_put_together_fail_the_map() -> None:
    """The reason says why."""
    play = spread(1)
    play.succeed("load[0]")
    gathered(play, fault="outputs of its elements: too large")

    assert (play["load"].state, play["load"].reason) == (S.FAILURE, "outputs of its elements: too large")


def test_notices_that_come_twice_are_void() -> None:
    """The elements begin once, and the group ends once."""
    play = spread(1)
    with pytest.raises(RepeatedEvent):
        play.notify("load", Spread, total=1)
    with pytest.raises(RepeatedEvent):
        gathered(play)


def test_no_more_elements_than_allowed_are_active() -> None:
    """The next one begins in the step in which one ends, in order; a waiting retry keeps its place."""
    play = spread(4, a_map(max_parallel=2, retries=1, retry_delay_s=5.0))
    assert elements(play) == {"0": "SUBMITTED", "1": "SUBMITTED"}

    play.succeed("load[1]")
    assert elements(play) == {"0": "SUBMITTED", "1": "SUCCESS", "2": "SUBMITTED"}

    play.fail("load[0]")
    assert elements(play) == {"0": "DELAYED", "1": "SUCCESS", "2": "SUBMITTED"}


def test_elements_are_created_a_bounded_step_at_a_time() -> None:
    """What is left over is owed, and a loaded run knows it."""
    play = spread(7, row_limit=3)
    assert len(elements(play)) == 3
    assert play.instance.is_unsettled

    assert play.settle() == 2
    assert len(elements(play)) == 7
    assert not play.instance.is_unsettled


def test_retry_delay_and_deferral_belong_to_elements() -> None:
    """Each element waits and is tried again alone."""
    play = spread(2, a_map(delay_s=3.0, retries=1))
    assert elements(play) == {"0": "DELAYED", "1": "DELAYED"}
    play.wait(3.0)
    play.notify("load[0]", AttemptDue)
    play.running("load[0]")
    play.report("load[0]", TaskDelayed, seconds=4.0)
    assert elements(play) == {"0": "DELAYED", "1": "DELAYED"}
    play.wait(4.0)
    play.notify("load[0]", AttemptDue)
    play.fail("load[0]")

    assert (play["load[0]"].attempt, play["load[0]"].failures) == (2, 1)
    assert play["load[1]"].attempt == 1


def test_lost_element_is_replaced() -> None:
    """The others go on, and the group with them."""
    play = spread(2)
    play.running("load[0]", "load[1]")
    play.notify("load[0]", AttemptLost, incarnation=play["load[0]"].incarnation, reason="gone")

    assert (play["load[0]"].attempt, elements(play)) == (2, {"0": "SUBMITTED", "1": "RUNNING"})
    assert numbers(play) == Elements(total=2, next=2, active=2)


def test_failed_element_lets_the_others_go_on() -> None:
    """`continue`: the group fails when all have ended, and says which failed."""
    play = spread(6, a_map(max_parallel=1), a_task("behind", "load"))
    for index in range(6):
        play.fail(f"load[{index}]") if index != 3 else play.succeed("load[3]")

    assert play["load"].state is S.FAILURE
    assert play["load"].reason == "5 of 6 elements failed: load[0], load[1], load[2] and 2 more"
    assert (play.state, play.head.reason) == (WorkflowState.FAILURE, "failed: load")


def test_failed_element_ends_the_run_where_a_failure_does() -> None:
    """`end`: nothing new begins, what runs is killed, and the map is FAILURE."""
    play = spread(5, a_map(max_parallel=2), on_failure=OnFailure.END)
    play.running("load[1]")
    play.fail("load[0]")
    assert elements(play) == {"0": "FAILURE", "1": "RUNNING"}
    assert play.wants("load[1]") == Kill()

    play.report("load[1]", TaskResult, state=S.KILLED)

    assert (play["load"].state, play.state) == (S.FAILURE, WorkflowState.FAILURE)


def test_failure_elsewhere_kills_a_map_under_end() -> None:
    """Its elements are killed, and it is KILLED."""
    play = spread(2, a_map(), a_task("other"), on_failure=OnFailure.END)
    play.fail("other")
    assert play.wants("load[0]") is not None
    play.notify("load[0]", RecallWon)
    play.notify("load[1]", RecallWon)

    assert play.states == {"load": "KILLED", "load[0]": "KILLED", "load[1]": "KILLED", "other": "FAILURE"}
    assert play.state is WorkflowState.FAILURE


def test_absorbed_map_ends_no_run() -> None:
    """Conditions that name the map absorb the failures of its elements, too."""
    spec = {"all": [{"task": "load", "is": "success"}], "success": ["yes"], "failure": ["no"]}
    after = (a_task("if", "load", type="conditions", spec=spec), a_task("yes", "if"), a_task("no", "if"))
    play = spread(2, a_map(), *after, on_failure=OnFailure.END)
    play.fail("load[0]")
    assert not play.head.ending
    play.succeed("load[1]")

    assert play.states["no"] == "SUBMITTED"
    play.succeed("no")
    assert play.state is WorkflowState.SUCCESS


def test_pause_holds_the_elements_and_then_their_group() -> None:
    """Running ones end; resume goes on with the same rows."""
    play = spread(4, a_map(max_parallel=2))
    play.running("load[0]")
    play.command(K.PAUSE)
    play.notify("load[1]", RecallWon)
    assert (play["load"].state, play.state) == (S.RUNNING, WorkflowState.PAUSING)
    play.succeed("load[0]")
    assert play.states == {"load": "PAUSED", "load[0]": "SUCCESS", "load[1]": "PAUSED"}
    assert play.state is WorkflowState.PAUSED

    play.command(K.RESUME)

    assert play.states == {
        "load": "RUNNING",
        "load[0]": "SUCCESS",
        "load[1]": "SUBMITTED",
        "load[2]": "SUBMITTED",
    }
    assert play["load"].attempt == 1


def test_resume_before_the_pause_is_over_fills_what_is_free() -> None:
    """What could not begin meanwhile begins then."""
    play = spread(4, a_map(max_parallel=2))
    play.running("load[0]", "load[1]")
    play.command(K.PAUSE)
    play.succeed("load[0]")
    assert elements(play) == {"0": "SUCCESS", "1": "RUNNING"}

    play.command(K.RESUME)

    assert elements(play) == {"0": "SUCCESS", "1": "RUNNING", "2": "SUBMITTED"}


def test_map_whose_elements_have_all_ended_is_not_held() -> None:
    """A pause that comes then lets it gather and end."""
    play = spread(1)
    play.running("load[0]")
    play.command(K.PAUSE)
    play.succeed("load[0]")
    gathered(play)

    assert (play["load"].state, play.state) == (S.SUCCESS, WorkflowState.SUCCESS)


def test_map_that_is_not_known_yet_is_held_like_any_other_task() -> None:
    """On resume its list is looked at."""
    play = started(a_map())
    play.command(K.PAUSE)
    assert play.wants("load") == Withdraw()
    with pytest.raises(RepeatedEvent):
        play.notify("load", Spread, total=2)
    play.notify("load", Withdrawn)
    assert play.states == {"load": "PAUSED"}

    play.command(K.RESUME)
    assert play.wants("load") == Judge()


def test_stop_ends_the_elements_and_then_their_group() -> None:
    """What has not begun never does."""
    play = spread(4, a_map(max_parallel=2))
    play.running("load[0]")
    play.command(K.STOP)
    play.notify("load[1]", RecallWon)
    play.succeed("load[0]")

    assert play.states == {"load": "KILLED", "load[0]": "SUCCESS", "load[1]": "KILLED"}
    assert (play.state, play["load"].reason) == (WorkflowState.STOPPED, "stopped")


def test_stop_between_two_steps_of_a_spread_ends_it() -> None:
    """No element waits for a step that never comes."""
    play = spread(5, row_limit=2)
    play.command(K.STOP)
    for index in range(2):
        play.notify(f"load[{index}]", RecallWon)

    assert (play["load"].state, play.state) == (S.KILLED, WorkflowState.STOPPED)


def test_stop_of_a_paused_map_ends_all_its_rows() -> None:
    """A few rows at a time."""
    play = spread(4, row_limit=2)
    play.settle()
    play.command(K.PAUSE)
    for index in range(4):
        play.notify(f"load[{index}]", RecallWon)
    assert play.state is WorkflowState.PAUSED
    play.command(K.STOP)
    play.settle()

    assert set(play.states.values()) == {"KILLED"}
    assert str(play.state) == "STOPPED"


def test_recover_runs_only_failed_elements_again() -> None:
    """The group has a new attempt; the order of the rest, the limit, and what is behind it are kept."""
    play = spread(4, a_map(max_parallel=1), a_task("behind", "load"))
    play.fail("load[0]")
    play.succeed("load[1]")
    play.fail("load[2]")
    play.succeed("load[3]")
    assert play.state is WorkflowState.FAILURE

    play.command(K.RECOVER)

    assert (play["load"].attempt, play["load"].state) == (2, S.RUNNING)
    assert {name: play[f"load[{name}]"].attempt for name in elements(play)} == {
        "0": 2,
        "1": 1,
        "2": 1,
        "3": 1,
    }
    play.succeed("load[0]")
    assert (play["load[2]"].attempt, play["load[2]"].state) == (2, S.SUBMITTED)
    play.succeed("load[2]")
    gathered(play)
    play.succeed("behind")
    assert str(play.state) == "SUCCESS"


def test_recover_of_a_stopped_map_goes_on_where_it_was() -> None:
    """Killed elements and those that never began run; a step at a time."""
    play = spread(5, a_map(max_parallel=2), row_limit=2)
    play.succeed("load[0]")
    play.command(K.STOP)
    for index in (1, 2):
        play.notify(f"load[{index}]", RecallWon)
    assert play.state is WorkflowState.STOPPED

    play.command(K.RECOVER)
    for index in range(1, 5):
        play.succeed(f"load[{index}]")
    gathered(play)

    assert str(play.state) == "SUCCESS"
    assert [play[f"load[{index}]"].attempt for index in range(5)] == [1, 2, 2, 1, 1]


def test_recover_runs_a_map_behind_a_failure_all_anew() -> None:
    """Its list may be another one."""
    play = started(a_task("first"), a_map("load", "first", trigger="all_done"), a_task("last", "load"))
    play.fail("first")
    play.notify("load", Spread, total=3)
    play.succeed("load[0]", "load[1]", "load[2]")
    gathered(play)
    play.succeed("last")
    play.command(K.RECOVER)
    play.succeed("first")
    play.notify("load", Spread, total=2)

    assert elements(play) == {"0": "SUBMITTED", "1": "SUBMITTED"}
    assert play["load[0]"].attempt == 2
    assert play.instance.spent == {"load[2]": 1, "last": 1}


def test_recover_after_a_rerun_of_what_is_before_runs_all_elements_again() -> None:
    """Their list may have changed under those that had succeeded."""
    play = started(a_task("first"), a_map("load", "first"))
    play.succeed("first")
    play.notify("load", Spread, total=2)
    play.succeed("load[0]")
    play.fail("load[1]")
    play.command(K.RERUN, only="first")
    play.succeed("first")
    assert (play.state, play.states["load[0]"]) == (WorkflowState.FAILURE, "SUCCESS")

    play.command(K.RECOVER)

    assert (play.states, play["load"].state) == ({"first": "SUCCESS", "load": "SUBMITTED"}, S.SUBMITTED)


def test_rerun_runs_all_elements_anew() -> None:
    """Also if there are fewer now; late reports of those that are gone are stale."""
    play = spread(3)
    play.succeed("load[0]", "load[1]", "load[2]")
    gathered(play)
    play.command(K.RERUN)
    assert play.states == {"load": "SUBMITTED"}

    play.notify("load", Spread, total=1)

    assert elements(play) == {"0": "SUBMITTED"}
    assert (play["load[0]"].attempt, play.instance.spent) == (2, {"load[1]": 1, "load[2]": 1})


@pytest.mark.parametrize("key", ["from", "only"])
def test_rerun_of_one_element_is_refused(key: str) -> None:
    """The message says what can be asked for instead."""
    play = spread(1)
    play.fail("load[0]")

    with pytest.raises(
        Conflict, match=r"'load\[0\]' is an element of a map: rerun 'load', or recover the run"
    ):
        play.command(K.RERUN, **{key: "load[0]"})


def test_forced_element_counts_as_a_success_of_the_recovered_map() -> None:
    """Nothing of it runs again."""
    play = spread(2)
    play.fail("load[0]")
    play.succeed("load[1]")
    play.command(K.FORCE_SUCCESS, task="load[0]", outputs={"n": 1})
    assert (play.state, play["load"].state) == (WorkflowState.FAILURE, S.FAILURE)

    play.command(K.RECOVER)

    assert elements(play) == {"0": "FORCED_SUCCESS", "1": "SUCCESS"}
    assert play.wants("load") == Judge()
    gathered(play)
    assert play.state is WorkflowState.SUCCESS


def test_forced_group_needs_no_element() -> None:
    """What is behind it sees the outputs that a person gave."""
    play = spread(1, a_map(), a_task("behind", "load"))
    play.fail("load[0]")
    play.command(K.FORCE_SUCCESS, task="load", outputs={"result": [7]})
    play.command(K.RECOVER)

    assert play.states == {"behind": "SUBMITTED", "load": "FORCED_SUCCESS", "load[0]": "FAILURE"}


def test_element_of_sub_workflows_recovers_its_child() -> None:
    """One child for each element; the limit is kept."""
    task = a_map(type="sub_workflow", spec={"workflow": "kid"}, max_parallel=1)
    play = spread(2, task)
    for index in range(2):
        kid = replace(a_head(), id=100 + index, parent_id=INSTANCE_ID, parent_task=f"load[{index}]")
        play.notify(f"load[{index}]", ChildReady, child=kid)
        play.command(K.CHILD_CHANGED, task=f"load[{index}]", child=100 + index, state=WorkflowState.FAILURE)
    assert play.state is WorkflowState.FAILURE

    play.command(K.RECOVER)

    assert (play["load[0]"].state, play["load[0]"].child, play["load[0]"].attempt) == (S.RUNNING, 100, 2)
    assert [(mail.workflow_instance_id, mail.kind) for mail in play.last.mail] == [(100, K.RECOVER)]
    assert play["load[1]"].attempt == 1
    play.command(K.CHILD_CHANGED, task="load[0]", child=100, state=WorkflowState.SUCCESS, outputs={})
    assert (play["load[1]"].state, play["load[1]"].child) == (S.RUNNING, 101)


def test_one_alert_is_told_of_a_map() -> None:
    """Not one for each of its elements."""
    alerts = ({"command": "x", "events": ["task_failure"]},)
    play = spread(2, a_map(), alerts=alerts)
    play.fail("load[0]", "load[1]")

    assert [one.body["task"] for one in play.alerts if one.kind == "task_failure"] == ["load"]


def test_dry_run_has_no_elements() -> None:
    """The list is not known: nothing is executed."""
    play = a_play(a_map())
    play.instance.head = replace(play.head, dry_run=True)
    play.start()

    assert (play.state, play.states) == (WorkflowState.SUCCESS, {"load": "SUCCESS"})


def test_report_about_an_element_that_never_was_is_ahead_of_memory_or_unknown() -> None:
    """An index is one only if it is written as one."""
    play = spread(1)
    event = play.event("load[0]", TaskResult, state=S.SUCCESS)
    with pytest.raises(AheadOfMemory):
        play.deliver(replace(event, task="load[7]"))
    for name in ("load[x]", "load[01]", "other[0]", "load[0][0]", "[0]", "load[-1]"):
        with pytest.raises(UnknownInstance):
            play.deliver(replace(event, task=name))


def test_element_costs_its_step_the_same_however_many_there_are() -> None:
    """A transition touches one element, its group and one successor."""
    play = Play(a_definition(a_map(max_parallel=3)), strict=False).start()
    play.notify("load", Spread, total=1000)
    play.succeed("load[0]")

    assert len(play.last.current) == 2
    assert len(play.last.nodes) == 1


def test_graph_names_the_group_alone_and_knows_the_elements() -> None:
    """Elements are no nodes: nothing depends on one."""
    graph = compile_graph(a_definition(a_map(type="shell", retries=2), a_task("behind", "load")))

    assert graph.order == ("load", "behind")
    assert (list(graph.tasks), graph.mapped) == (["load", "behind"], ("load",))
    assert (graph.tasks["load"].type, graph.tasks["load"].retries) == ("map", 0)
    assert (graph.tasks["load[5]"].name, graph.tasks["load[5]"].type) == ("load[5]", "shell")
    assert graph.tasks["load[5]"].retries == 2
    assert "load[5]" in graph.tasks
    assert "behind[5]" not in graph.tasks
    assert graph.tasks.get("load[x]") is None
