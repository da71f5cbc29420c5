"""Tasks that are paused by name: held when they are ready, and nothing else of the run is."""

import pytest

from orchestrator.core.command import CommandKind
from orchestrator.core.definition import OnFailure, Trigger
from orchestrator.core.notice import AttemptDue, RecallWon, Spread
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.core.wants import Dispatch, Recall
from orchestrator.errors import Conflict, RepeatedEvent
from tests.builders import a_task
from tests.unit.core.play import a_play, started

PAUSE, RESUME, STOP = CommandKind.PAUSE, CommandKind.RESUME, CommandKind.STOP


def test_a_held_task_is_created_paused_and_the_run_waits_for_it() -> None:
    """Other branches go on; the run has not ended while something of it is held."""
    play = started(a_task("a"), a_task("b", "a"), a_task("c", "a"))
    play.command(PAUSE, task="b")

    play.succeed("a")
    play.succeed("c")

    assert play.states == {"a": "SUCCESS", "b": "PAUSED", "c": "SUCCESS"}
    assert (play.state, play.head.held) == (WorkflowState.RUNNING, ("b",))
    play.command(RESUME, task="b")
    assert (play.states["b"], play.head.held) == ("SUBMITTED", ())
    play.succeed("b")
    assert play.state is WorkflowState.SUCCESS


def test_what_waits_is_taken_back_and_what_runs_ends() -> None:
    """As with a run: recalled in the broker, not interrupted on a worker; a retry is held."""
    play = started(a_task("a"), a_task("b", retries=1))
    play.running("b")
    play.command(PAUSE, task="a")
    play.command(PAUSE, task="b")
    assert isinstance(play.wants("a"), Recall)

    play.notify("a", RecallWon)
    play.fail("b")

    assert play.states == {"a": "PAUSED", "b": "PAUSED"}
    play.command(RESUME, task="a")
    assert isinstance(play.wants("a"), Dispatch)
    assert play.states["b"] == "PAUSED"


def test_a_delay_is_held_and_keeps_its_time() -> None:
    """Paused in its wait, it goes back to waiting."""
    play = started(a_task("a", delay_s=60), a_task("b"))
    due = play["a"].due_at
    play.command(PAUSE, task="a")
    assert play.states["a"] == "PAUSED"
    with pytest.raises(RepeatedEvent):
        play.notify("a", AttemptDue)

    play.command(RESUME, task="a")

    assert (play.states["a"], play["a"].due_at) == ("DELAYED", due)


def test_the_run_alone_does_not_resume_what_was_paused_by_name() -> None:
    """Both pauses are lifted each by its own command."""
    play = started(a_task("a"), a_task("b"))
    play.command(PAUSE, task="a")
    play.command(PAUSE)
    for task in ("a", "b"):
        play.notify(task, RecallWon)
    assert play.state is WorkflowState.PAUSED

    play.command(RESUME)

    assert play.states == {"a": "PAUSED", "b": "SUBMITTED"}
    play.succeed("b")
    play.command(RESUME, task="a")
    assert play.states["a"] == "SUBMITTED"


def test_before_the_start_and_while_paused_a_task_can_be_named() -> None:
    """It is held as soon as it would be submitted."""
    play = a_play(a_task("a"), a_task("b"))
    play.command(PAUSE, task="a")
    play.start()

    assert play.states == {"a": "PAUSED", "b": "SUBMITTED"}


def test_a_stop_and_an_ending_run_take_what_is_held() -> None:
    """A clean-up task that is held is spared by `on_failure: end`, and stays held."""
    play = started(a_task("a"), a_task("b"))
    play.command(PAUSE, task="a")
    play.notify("a", RecallWon)
    play.succeed("b")
    play.command(STOP)
    assert (play.state, play.states["a"]) == (WorkflowState.STOPPED, "KILLED")

    ending = started(
        a_task("bad"),
        a_task("other"),
        a_task("clean", "bad", trigger=Trigger.ALL_DONE),
        on_failure=OnFailure.END,
    )
    ending.command(PAUSE, task="other")
    ending.command(PAUSE, task="clean")
    ending.notify("other", RecallWon)
    ending.fail("bad")
    assert ending.states == {"bad": "FAILURE", "other": "KILLED", "clean": "PAUSED"}
    assert ending.state.value == "RUNNING"
    ending.command(RESUME, task="clean")
    ending.succeed("clean")
    assert ending.state.value == "FAILURE"


def test_recover_and_rerun_begin_with_nothing_held() -> None:
    """Who runs it again wants it to run."""
    play = started(a_task("a"), a_task("b"))
    play.command(PAUSE, task="a")
    play.notify("a", RecallWon)
    play.succeed("b")
    play.command(STOP)

    play.command(CommandKind.RECOVER, run_count=1)

    assert (play.head.held, play.states["a"]) == ((), "SUBMITTED")


def test_wrong_states_are_answered() -> None:
    """Twice is a repeat; unknown tasks, tasks that have ended and runs that end are refused with the reason."""
    play = started(a_task("a"), a_task("b"))
    play.command(PAUSE, task="a")
    for kind, task in ((PAUSE, "a"), (RESUME, "b")):
        with pytest.raises(RepeatedEvent):
            play.command(kind, task=task)
    play.running("b")
    play.succeed("b")
    for kind, task, said in (
        (PAUSE, "nobody", "no task 'nobody'"),
        (PAUSE, "b", "b has ended SUCCESS"),
        (RESUME, "nobody", "no task 'nobody'"),
    ):
        with pytest.raises(Conflict, match=said):
            play.command(kind, task=task)
    play.running("a")
    play.command(STOP)
    for kind in (PAUSE, RESUME):
        with pytest.raises(Conflict, match="STOPPING"):
            play.command(kind, task="a")


def test_a_held_skip_is_skipped() -> None:
    """What is not to run is not held."""
    play = started(a_task("a"), a_task("b", "a", trigger=Trigger.ONE_FAILED))
    play.command(PAUSE, task="b")
    play.succeed("a")

    assert play["b"].state is TaskState.SKIPPED
    assert play.state is WorkflowState.SUCCESS


def test_a_map_is_held_as_a_whole() -> None:
    """Its elements are taken back and none begins; single elements cannot be held."""
    play = started(a_task("m", map_over=[1, 2, 3], max_parallel=2), a_task("b", "m"))
    play.notify("m", Spread, total=3)
    play.running("m[0]")
    with pytest.raises(Conflict, match="element"):
        play.command(PAUSE, task="m[0]")

    play.command(PAUSE, task="m")
    play.notify("m[1]", RecallWon)
    play.succeed("m[0]")

    assert play.states == {"m": "PAUSED", "m[0]": "SUCCESS", "m[1]": "PAUSED"}
    assert play.state is WorkflowState.RUNNING
    play.command(RESUME, task="m")
    assert play.states == {"m": "RUNNING", "m[0]": "SUCCESS", "m[1]": "SUBMITTED", "m[2]": "SUBMITTED"}
