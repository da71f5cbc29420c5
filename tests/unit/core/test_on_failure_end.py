"""`on_failure: end`: after the first failure nothing new starts but clean-up behind what had started."""

from typing import Any

import pytest

from orchestrator.core.command import CommandKind
from orchestrator.core.definition import OnFailure, TaskDefinition, Trigger
from orchestrator.core.event import CHILD_DIED, RejectReason, TaskDelayed, TaskResult, WorkerReject
from orchestrator.core.notice import AttemptDue, AttemptLost, AttemptTimeout, RecallWon, Unsubmittable
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.core.wants import Dispatch, Kill, Recall
from tests.builders import a_task
from tests.unit.core.play import Play, started

ALL_DONE = Trigger.ALL_DONE


def ending(*tasks: TaskDefinition, **fields: Any) -> Play:
    """Return a started run that ends on failure, with a task `bad` beside the given ones."""
    return started(a_task("bad"), *tasks, on_failure=OnFailure.END, **fields)


def test_active_tasks_are_killed_and_the_run_ends_failure() -> None:
    """Waiting ones at once, handed-over ones by recall, running ones by their worker."""
    play = ending(a_task("delayed", delay_s=60), a_task("ready"), a_task("queued"), a_task("runs"))
    play.dispatched("queued")
    play.running("runs")
    play.fail("bad")

    assert play["delayed"].state is TaskState.KILLED
    assert (play.wants("ready"), play.wants("queued"), play.wants("runs")) == (Recall(), Recall(), Kill())
    play.notify("ready", RecallWon)
    play.notify("queued", RecallWon)
    assert play.state.value == "RUNNING"
    play.report("runs", TaskResult, state=TaskState.KILLED)
    assert play.state is WorkflowState.FAILURE
    assert play.head.ending


def test_continue_lets_other_branches_go_on() -> None:
    """Without `end` nothing is recalled, and what the other branch unblocks is submitted; then the run fails."""
    play = started(a_task("bad"), a_task("runs"), a_task("next", "runs"), on_failure=OnFailure.CONTINUE)
    play.running("runs")
    play.fail("bad")
    assert (play.wants("runs"), play.head.ending) == (None, False)

    play.succeed("runs", "next")

    assert play.states == {"bad": "FAILURE", "next": "SUCCESS", "runs": "SUCCESS"}
    assert play.state is WorkflowState.FAILURE


def test_nothing_new_is_submitted() -> None:
    """A task that succeeds although the run ends unblocks nobody."""
    play = ending(a_task("a"), a_task("b", "a"), a_task("c", "b", trigger=Trigger.ONE_FAILED))
    play.running("a")
    play.fail("bad")
    play.succeed("a")

    assert play.states == {"a": "SUCCESS", "bad": "FAILURE"}
    assert play.state is WorkflowState.FAILURE


def test_clean_up_runs_behind_what_had_started() -> None:
    """An all_done task with a started ancestor runs, however far up that is."""
    play = ending(a_task("next", "bad"), a_task("clean", "next", trigger=ALL_DONE))
    play.fail("bad")
    assert play.states == {"bad": "FAILURE", "clean": "SUBMITTED"}
    assert play.wants("clean") == Dispatch()

    play.succeed("clean")
    assert play.state is WorkflowState.FAILURE


def test_clean_up_of_what_never_started_does_not_run() -> None:
    """There is nothing to clean up; a root that was still owed is not created any more."""
    play = ending(a_task("late"), a_task("clean", "late", trigger=ALL_DONE), row_limit=1)
    assert play.states == {"bad": "SUBMITTED"}
    play.fail("bad")
    play.settle()

    assert play.states == {"bad": "FAILURE"}
    assert play.state is WorkflowState.FAILURE


def test_running_clean_up_is_spared() -> None:
    """It is neither killed nor recalled, and the run waits for it."""
    play = ending(a_task("a"), a_task("clean", "a", trigger=ALL_DONE), a_task("more", "a", trigger=ALL_DONE))
    play.succeed("a")
    play.running("clean")
    play.fail("bad")
    assert (play.wants("clean"), play.wants("more")) == (None, Dispatch())

    play.succeed("clean", "more")
    assert play.state is WorkflowState.FAILURE


def test_waiting_clean_up_keeps_its_delay() -> None:
    """Only doomed waiting attempts are swept."""
    play = ending(a_task("clean", "bad", trigger=ALL_DONE, delay_s=10))
    play.fail("bad")
    assert play.states["clean"] == "DELAYED"
    assert not play.instance.is_unsettled

    play.wait(10)
    play.notify("clean", AttemptDue)
    play.succeed("clean")
    assert play.state is WorkflowState.FAILURE


def test_a_retry_is_not_yet_a_failure() -> None:
    """Only the last failure ends the run."""
    play = started(a_task("a", retries=1), a_task("b"), on_failure=OnFailure.END)
    play.fail("a")
    assert play.wants("b") == Dispatch()

    play.fail("a")
    assert play.wants("b") == Recall()


@pytest.mark.parametrize("trigger", [Trigger.ALL_SUCCESS, ALL_DONE])
def test_after_a_failure_nothing_is_tried_again(trigger: Trigger) -> None:
    """No retries, whatever is left of them, for clean-up neither; a lost attempt becomes KILLED."""
    tasks = [a_task(name, "root", retries=3, timeout_s=9, trigger=trigger) for name in ("a", "b", "c", "d")]
    play = started(a_task("bad"), a_task("root"), *tasks, on_failure=OnFailure.END)
    play.succeed("root")
    play.running("a", "b", "c", "d")
    play.fail("bad", "a")
    play.fail("b", error=CHILD_DIED)
    play.notify("c", AttemptLost, incarnation="w1-1", reason="gone")
    play.notify("d", AttemptTimeout)

    assert play.states == {
        "a": "FAILURE",
        "b": "KILLED",
        "bad": "FAILURE",
        "c": "KILLED",
        "d": "FAILURE",
        "root": "SUCCESS",
    }
    assert play.state is WorkflowState.FAILURE


def test_whatever_fails_ends_the_run() -> None:
    """Killed, unsubmittable, known by nobody: each is a failure."""
    killed, unsubmittable = ending(), ending()
    unknown = Play(killed.instance.definition, live_workers=lambda _group: frozenset({"w1"})).start()
    killed.report("bad", TaskResult, state=TaskState.KILLED)
    unsubmittable.notify("bad", Unsubmittable, reason="no value")
    unknown.report("bad", WorkerReject, reason=RejectReason.UNKNOWN_TYPE)

    for play in (killed, unsubmittable, unknown):
        assert (play.state, play.head.ending) == (WorkflowState.FAILURE, True)


def test_deferral_and_reject_of_a_doomed_attempt_end_it() -> None:
    """A hand-over that ends without a result ends the attempt: nothing is dispatched again."""
    play = ending(a_task("defers"), a_task("rejected"))
    play.running("defers")
    play.fail("bad")
    play.report("defers", TaskDelayed, seconds=60)
    play.report("rejected", WorkerReject, reason=RejectReason.DRAINING)
    assert play.states["defers"] == "KILLED"

    assert play.wants("rejected") == Recall()
    play.notify("rejected", RecallWon)
    assert play.state is WorkflowState.FAILURE


def test_a_failure_while_pausing_kills_what_is_held() -> None:
    """Nothing of it would ever run again; the run does not wait for a person."""
    play = ending(a_task("held", delay_s=60))
    play.running("bad")
    play.command(CommandKind.PAUSE)
    play.fail("bad")

    assert play.states == {"bad": "FAILURE", "held": "KILLED"}
    assert play.state is WorkflowState.FAILURE


def test_a_paused_clean_up_runs_after_resume() -> None:
    """PAUSING holds the clean-up, too; resume lets it go."""
    play = ending(a_task("clean", "bad", trigger=ALL_DONE))
    play.running("bad")
    play.command(CommandKind.PAUSE)
    play.fail("bad")
    assert (play.state.value, play.states["clean"]) == ("PAUSED", "PAUSED")

    play.command(CommandKind.RESUME)
    play.succeed("clean")
    assert play.state is WorkflowState.FAILURE


def test_stop_ends_the_clean_up_too() -> None:
    """A person's stop is stronger than `end`."""
    play = ending(a_task("clean", "bad", trigger=ALL_DONE))
    play.fail("bad")
    play.command(CommandKind.STOP)
    assert play.wants("clean") == Recall()

    play.notify("clean", RecallWon)
    assert play.state is WorkflowState.STOPPED


def test_clean_up_does_not_depend_on_the_order_in_which_its_ancestors_end() -> None:
    """A trigger that decides early waits for all its upstreams, so that a started one among them counts."""
    play = started(
        a_task("bad"),
        a_task("b"),
        a_task("unborn"),
        a_task("x", "unborn", "b", trigger=Trigger.ONE_FAILED),
        a_task("clean", "x", trigger=ALL_DONE),
        on_failure=OnFailure.END,
        row_limit=2,
    )
    play.running("b")
    play.fail("bad")
    play.settle()
    assert play.states == {"b": "RUNNING", "bad": "FAILURE"}

    play.report("b", TaskResult, state=TaskState.KILLED)
    assert play.states["clean"] == "SUBMITTED"
    assert "x" not in play.states
