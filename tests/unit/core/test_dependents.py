"""A dependent task in its run: what a look at other workflows' runs makes of it."""

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.core.command import CommandKind
from orchestrator.core.definition import TaskDefinition
from orchestrator.core.dependence import Verdict
from orchestrator.core.notice import Looked, Withdrawn
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.core.wants import Look
from orchestrator.errors import RepeatedEvent
from tests.builders import NOW, a_definition, a_task
from tests.unit.core.play import Play, started


def dependent(**spec: Any) -> TaskDefinition:
    """A task that waits for another workflow."""
    return a_task("wait", type="dependent", spec={"all": [{"workflow": "n", "window": "today"}], **spec})


def waiting(**spec: Any) -> Play:
    """A run whose first task waits."""
    return started(dependent(**spec), a_task("go", "wait"))


def looked(play: Play, found: Verdict, reason: str = "n: no run") -> None:
    """Let a look come to this."""
    play.notify("wait", Looked, found=found, reason=reason)


def test_it_runs_without_a_worker_from_the_moment_it_is_ready() -> None:
    """The time that it waits counts from there."""
    play = waiting(wait=30.0)

    assert (play["wait"].state, play["wait"].started_at) == (TaskState.RUNNING, NOW)
    assert play.wants("wait") == Look()


def test_met_is_a_success_and_failed_a_failure_with_the_reason() -> None:
    """What follows goes on, or does not."""
    good, bad = waiting(), waiting()
    looked(good, Verdict.WAITING)

    looked(good, Verdict.MET, "")
    looked(bad, Verdict.FAILED, "n: run 7 ended FAILURE")

    assert good.states == {"wait": "SUCCESS", "go": "SUBMITTED"}
    assert good["wait"].reason is None
    assert (bad.state, bad.states) == (WorkflowState.FAILURE, {"wait": "FAILURE"})
    assert bad["wait"].reason == "not met: n: run 7 ended FAILURE"


def test_while_it_waits_its_row_says_for_what() -> None:
    """The same again is no news."""
    play = waiting()

    looked(play, Verdict.WAITING)

    assert play["wait"].reason == "waits for n: no run"
    with pytest.raises(RepeatedEvent):
        looked(play, Verdict.WAITING)
    looked(play, Verdict.WAITING, "n: its run has not ended")
    assert play["wait"].reason == "waits for n: its run has not ended"


@pytest.mark.parametrize("wait_s", [0.0, 30.0])
def test_when_the_wait_is_over_it_fails_unless_it_is_met(wait_s: float) -> None:
    """What is seen counts before what time it is."""
    late, lucky = waiting(wait=wait_s), waiting(wait=wait_s)
    for play in (late, lucky):
        play.wait(wait_s)

    looked(late, Verdict.WAITING)
    looked(lucky, Verdict.MET, "")

    assert late["wait"].reason == f"not met in {wait_s:g} s: n: no run"
    assert [alert.kind for alert in late.alerts] == ["task_timeout", "workflow_failure"]
    assert lucky.states["wait"] == "SUCCESS"


def test_a_stop_ends_it_and_a_late_look_changes_nothing() -> None:
    """Nobody else has it."""
    play = waiting()
    play.command(CommandKind.STOP)
    token = play["wait"]

    play.notify("wait", Withdrawn)

    assert (play.state, play.states) == (WorkflowState.STOPPED, {"wait": "KILLED"})
    assert token.token == play["wait"].token
    with pytest.raises(RepeatedEvent):
        looked(play, Verdict.MET)


def test_a_run_that_pauses_waits_for_it() -> None:
    """As for an approval; what follows is held."""
    play = waiting()
    play.command(CommandKind.PAUSE)
    assert play.state is WorkflowState.PAUSING

    looked(play, Verdict.MET)

    assert (play.state, play.states) == (WorkflowState.PAUSED, {"wait": "SUCCESS", "go": "PAUSED"})


def test_in_a_dry_run_nobody_is_waited_for() -> None:
    """All SUCCESS."""
    play = Play(a_definition(dependent(), a_task("go", "wait")), strict=False)
    play.instance.head = replace(play.head, dry_run=True)
    play.start()
    play.settle()

    assert play.state is WorkflowState.SUCCESS
