"""Branches: what a switch or conditions task lets run, what is skipped, and which failures are absorbed."""

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.core.command import CommandKind
from orchestrator.core.dag import compile_graph, select_tasks
from orchestrator.core.definition import OnFailure, TaskDefinition, Trigger
from orchestrator.core.notice import AttemptTimeout, Judged, Unsubmittable, Withdrawn
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.core.wants import Judge, TimeoutAt, Withdraw
from orchestrator.errors import Conflict, RepeatedEvent
from tests.builders import a_definition, a_task
from tests.unit.core.play import Play


def a_switch(name: str, *needs: str, then: list[str], default: list[str] | None = None) -> TaskDefinition:
    """A switch with one case."""
    spec: dict[str, Any] = {"cases": [{"when": "${x}", "then": then}]}
    return a_task(name, *needs, type="switch", spec={**spec, **({"default": default} if default else {})})


def conditions(name: str, *needs: str, items: list[Any], **branches: list[str]) -> TaskDefinition:
    """A conditions task whose items must all hold."""
    return a_task(name, *needs, type="conditions", spec={"all": items, **branches})


def is_(task: str, how: str) -> dict[str, str]:
    """An item of a conditions task."""
    return {"task": task, "is": how}


def played(*tasks: TaskDefinition, **fields: Any) -> Play:
    """A run that has just started."""
    return Play(a_definition(*tasks, **fields)).start()


def test_only_the_branch_that_was_chosen_runs() -> None:
    """The others see a skipped upstream, and skip in their turn."""
    play = played(
        a_switch("route", then=["left"], default=["right"]),
        a_task("left", "route"),
        a_task("right", "route"),
        a_task("behind_right", "right"),
        a_task("join", "left", "behind_right"),
    )
    assert isinstance(play.wants("route"), Judge)

    play.notify("route", Judged, taken=("left",))
    play.succeed("left", "join")

    assert play.states == {
        "route": "SUCCESS",
        "left": "SUCCESS",
        "right": "SKIPPED",
        "behind_right": "SKIPPED",
        "join": "SUCCESS",
    }
    assert play.state is WorkflowState.SUCCESS


def test_a_task_that_stands_in_no_branch_takes_the_edge_for_a_success() -> None:
    """It needs the switch, whatever that chooses."""
    play = played(a_switch("route", then=["left"]), a_task("left", "route"), a_task("log", "route"))

    play.notify("route", Judged, taken=())

    assert play.states == {"route": "SUCCESS", "left": "SKIPPED", "log": "SUBMITTED"}


def test_a_disabled_branch_is_a_wire_and_what_hangs_on_it_is_the_branch() -> None:
    """Not taken, so what stands behind the wire is skipped; taken, it runs."""
    tasks = (
        a_switch("route", then=["left"], default=["right"]),
        a_task("left", "route", disabled=True),
        a_task("right", "route"),
        a_task("behind", "left"),
    )
    not_taken, taken = played(*tasks), played(*tasks)

    not_taken.notify("route", Judged, taken=("right",))
    taken.notify("route", Judged, taken=("left",))

    assert not_taken.states["behind"] == "SKIPPED"
    assert taken.states["behind"] == "SUBMITTED"


def test_what_a_task_needs_directly_is_not_only_a_branch() -> None:
    """It hangs on a disabled branch and on the switch itself: it runs in any case."""
    graph = compile_graph(
        a_definition(
            a_switch("route", then=["left"]),
            a_task("left", "route", disabled=True),
            a_task("behind", "left", "route"),
        )
    )

    assert graph.gates == {"route": {}}


def test_a_selection_keeps_the_wires_that_branches_name() -> None:
    """A run from the switch on still knows which branch is which."""
    definition = a_definition(
        a_task("first"),
        a_switch("route", "first", then=["left"], default=["right"]),
        a_task("left", "route", disabled=True),
        a_task("right", "route"),
        a_task("behind", "left"),
    )

    graph = compile_graph(select_tasks(definition, ["route"], "downstream"))

    assert graph.gates == {"route": {"right": {"right"}, "behind": {"left"}}}


def test_a_switch_without_a_true_case_fails_with_its_reason() -> None:
    """Nothing behind it runs."""
    play = played(a_switch("route", then=["left"]), a_task("left", "route"))

    play.notify("route", Unsubmittable, reason="no case is true, and there is no default")

    assert play.states == {"route": "FAILURE"}
    assert (play.state, play["route"].reason) == (
        WorkflowState.FAILURE,
        "no case is true, and there is no default",
    )


def test_a_judgement_that_comes_too_late_changes_nothing() -> None:
    """The switch was withdrawn by a stop."""
    play = played(a_switch("route", then=["left"]), a_task("left", "route"))
    play.command(CommandKind.STOP)
    assert isinstance(play.wants("route"), Withdraw)
    play.notify("route", Withdrawn)

    with pytest.raises(RepeatedEvent):
        play.notify("route", Judged, taken=("left",))

    assert (play.state, play.states) == (WorkflowState.STOPPED, {"route": "KILLED"})


def test_a_paused_switch_is_judged_after_the_resume() -> None:
    """Nothing new starts: it is held in its row."""
    play = played(a_switch("route", then=["left"]), a_task("left", "route"))
    play.command(CommandKind.PAUSE)
    play.notify("route", Withdrawn)
    assert (play.state, play.states) == (WorkflowState.PAUSED, {"route": "PAUSED"})

    play.command(CommandKind.RESUME)

    assert isinstance(play.wants("route"), Judge)


# --- conditions ----------------------------------------------------------------------------------


def test_conditions_run_when_all_is_done_and_take_the_branch_of_their_verdict() -> None:
    """The failure that they name is absorbed: the run succeeds."""
    play = played(
        a_task("a"),
        a_task("b"),
        conditions("check", "a", "b", items=[is_("a", "success")], success=["good"], failure=["bad"]),
        a_task("good", "check"),
        a_task("bad", "check"),
    )

    play.succeed("b")
    assert "check" not in play.states
    play.fail("a")
    play.succeed("bad")

    assert play.states["check"] == "SUCCESS"
    assert (play.states["good"], play.states["bad"]) == ("SKIPPED", "SUCCESS")
    assert play.state is WorkflowState.SUCCESS


def test_a_task_that_was_not_run_is_a_failure_and_a_skipped_one_is_neither() -> None:
    """SEMANTICS section 4."""
    play = played(
        a_task("broken"),
        a_task("behind", "broken"),
        a_task("quiet", "fine", trigger=Trigger.ONE_FAILED),
        a_task("fine"),
        conditions(
            "check",
            "behind",
            "quiet",
            items=[{"any": [is_("quiet", "success"), is_("quiet", "failure")]}],
            success=["wrong"],
            failure=["right"],
        ),
        conditions("other", "behind", items=[is_("behind", "failure")], success=["alarm"]),
        a_task("wrong", "check"),
        a_task("right", "check"),
        a_task("alarm", "other"),
    )

    play.succeed("fine")
    play.fail("broken")

    assert (play.states["wrong"], play.states["right"]) == ("SKIPPED", "SUBMITTED")
    assert play.states["alarm"] == "SUBMITTED"


def test_a_failure_that_nobody_names_still_fails_the_run() -> None:
    """Only what is named is absorbed: not what made it fail, nor a clean-up's upstream."""
    play = played(
        a_task("a"),
        a_task("b", "a"),
        conditions("check", "b", items=[is_("b", "failure")], success=["alarm"]),
        a_task("alarm", "check"),
        a_task("tidy", "a", trigger=Trigger.ALL_DONE),
    )

    play.fail("a")
    play.succeed("alarm", "tidy")

    assert (play.state, play.head.reason) == (WorkflowState.FAILURE, "failed: a")


def test_conditions_whose_upstreams_were_all_skipped_are_skipped() -> None:
    """There is nothing to look at."""
    play = played(
        a_switch("route", then=["left"]),
        a_task("left", "route"),
        conditions("check", "left", items=[is_("left", "success")], success=["end"]),
        a_task("end", "check"),
    )

    play.notify("route", Judged, taken=())

    assert play.states == {"route": "SUCCESS", "left": "SKIPPED", "check": "SKIPPED", "end": "SKIPPED"}
    assert play.state is WorkflowState.SUCCESS


def test_an_absorbed_failure_does_not_end_the_run_under_end() -> None:
    """Its conditions task decides what comes next."""
    tasks = (
        a_task("a"),
        a_task("other"),
        conditions("check", "a", items=[is_("a", "success")], failure=["bad"]),
        a_task("bad", "check"),
    )
    play = played(*tasks, on_failure=OnFailure.END)

    play.fail("a")

    assert not play.head.ending
    assert play.states["bad"] == "SUBMITTED"


def test_in_a_dry_run_every_branch_is_walked() -> None:
    """Nothing is judged: all SUCCESS."""
    definition = a_definition(
        a_switch("route", then=["left"], default=["right"]), a_task("left", "route"), a_task("right", "route")
    )
    play = Play(definition, strict=False)
    play.instance.head = replace(play.head, dry_run=True)
    play.start()
    play.settle()

    assert set(play.states.values()) == {"SUCCESS"}
    assert play.state is WorkflowState.SUCCESS


# --- approval ------------------------------------------------------------------------------------


def an_approval(**fields: Any) -> TaskDefinition:
    """A task that waits for a signal."""
    return a_task("approve", type="approval", **fields)


def test_an_approval_waits_for_a_signal_whose_data_are_its_outputs() -> None:
    """No worker is asked."""
    play = played(an_approval(outputs={"by": "string"}), a_task("go", "approve"))
    assert (play["approve"].state, play["approve"].reason) == (TaskState.RUNNING, "waits for a signal")
    assert play.wants("approve") is None

    play.command(CommandKind.SIGNAL, task="approve", outputs={"by": "Ada"})

    assert play["approve"].outputs == {"by": "Ada"}
    assert play.states == {"approve": "SUCCESS", "go": "SUBMITTED"}


def test_the_same_signal_twice_is_a_repeat_and_another_one_a_conflict() -> None:
    """Who signals again hears so."""
    play = played(an_approval(), a_task("go", "approve"))
    play.command(CommandKind.SIGNAL, task="approve", outputs={"by": "Ada"})

    with pytest.raises(RepeatedEvent):
        play.command(CommandKind.SIGNAL, task="approve", outputs={"by": "Ada"})
    with pytest.raises(Conflict, match="waits for no signal"):
        play.command(CommandKind.SIGNAL, task="approve", outputs={"by": "Bob"})


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"task": "go"}, "no approval task 'go'"),
        ({"task": "approve", "outputs": {}}, "needs a value for 'by'"),
        ({"task": "approve", "outputs": {"by": 3}}, "string"),
        ({"task": "approve", "outputs": {"by": "Ada", "bye": 1}}, "declares no output 'bye'"),
    ],
)
def test_a_signal_that_does_not_fit_is_refused_with_the_reason(body: dict[str, Any], said: str) -> None:
    """Nothing changes."""
    play = played(an_approval(outputs={"by": "string"}), a_task("go", "approve"))

    with pytest.raises(Conflict, match=said):
        play.command(CommandKind.SIGNAL, **body)

    assert play.states == {"approve": "RUNNING"}


def test_an_approval_that_nobody_gives_in_time_takes_its_default_or_fails() -> None:
    """With its own clock, and an alert if it fails."""
    patient = played(an_approval(timeout_s=60.0, spec={"default": {"by": "nobody"}}), a_task("go", "approve"))
    strict = played(an_approval(timeout_s=60.0), a_task("go", "approve"))
    assert isinstance(strict.wants("approve"), TimeoutAt)

    for play in (patient, strict):
        with pytest.raises(RepeatedEvent):
            play.notify("approve", AttemptTimeout)
        play.wait(60)
        play.notify("approve", AttemptTimeout)

    assert (patient.states["approve"], dict(patient["approve"].outputs)) == ("SUCCESS", {"by": "nobody"})
    assert (strict.state, strict["approve"].reason) == (WorkflowState.FAILURE, "timeout")
    assert [alert.kind for alert in strict.alerts] == ["task_timeout", "workflow_failure"]


def test_a_stop_ends_an_approval_that_waits() -> None:
    """Nobody else has it."""
    play = played(an_approval(), a_task("go", "approve"))

    play.command(CommandKind.STOP)
    play.notify("approve", Withdrawn)

    assert (play.state, play.states) == (WorkflowState.STOPPED, {"approve": "KILLED"})


def test_a_run_that_pauses_waits_for_its_approvals_like_for_running_tasks() -> None:
    """The signal is taken; then the run is PAUSED, with what follows held."""
    play = played(an_approval(), a_task("go", "approve"))
    play.command(CommandKind.PAUSE)
    assert (play.state, play.states) == (WorkflowState.PAUSING, {"approve": "RUNNING"})

    play.command(CommandKind.SIGNAL, task="approve", outputs={})

    assert (play.state, play.states) == (WorkflowState.PAUSED, {"approve": "SUCCESS", "go": "PAUSED"})
