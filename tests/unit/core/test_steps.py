"""A step writes at most `row_limit` rows; what is left over is derived from the rows and goes on by itself."""

import pytest

from orchestrator.core.command import CommandKind
from orchestrator.core.definition import OnFailure, Trigger
from orchestrator.core.event import TaskResult
from orchestrator.core.notice import RecallWon
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.errors import Conflict, RepeatedEvent
from tests.builders import a_head, a_task, loaded
from tests.unit.core.play import Play, a_play, started

ROOTS = [f"r{number}" for number in range(5)]


def rows_of(play: Play) -> int:
    """Return how many rows the last step wrote."""
    return len(play.last.inserted) + len(play.last.updated)


def test_many_roots_are_created_in_steps() -> None:
    """R3: five roots, two rows a step; each is created once, in the order of the graph."""
    # Seen to fail without `budget -=` in `converge`.
    play = started(*map(a_task, ROOTS), row_limit=2)
    assert (len(play.states), play.instance.is_unsettled) == (2, True)

    assert play.settle() == 2

    assert sorted(play.states) == ROOTS
    assert [row.sequence for row in play.rows.values()] == [1, 2, 3, 4, 5]
    assert not play.instance.is_unsettled


def test_a_fan_out_goes_on_while_results_come_in() -> None:
    """What is owed is created by the next step, whatever that was asked to do."""
    play = started(a_task("s"), *(a_task(name, "s") for name in ROOTS), row_limit=2)
    play.succeed("s")
    assert len(play.states) == 3

    play.succeed("r0")

    assert len(play.states) == 5
    assert len(play.last.inserted) == 2


def test_a_run_does_not_end_while_something_is_owed() -> None:
    """Nothing is active between two steps, and yet it goes on."""
    play = started(*map(a_task, ROOTS), row_limit=1)
    play.succeed("r0")

    assert play.state is WorkflowState.RUNNING
    assert play.states == {"r0": "SUCCESS", "r1": "SUBMITTED"}


def test_what_is_owed_survives_a_restart() -> None:
    """The rows are the cursor: loading them gives the same debts (decision 2)."""
    play = started(*map(a_task, ROOTS), row_limit=2)

    again = loaded(play.instance.definition, play.head, play.rows.values())

    assert again.owed.keys() == {"r2", "r3", "r4"}
    assert again.is_unsettled


def test_skipping_takes_rows_too() -> None:
    """A chain of skipped tasks is skipped step by step."""
    tasks = [a_task("b", "a", trigger=Trigger.ONE_FAILED), *(a_task(f"c{n}", "b") for n in range(3))]
    play = started(a_task("a"), *tasks, row_limit=2)
    play.succeed("a")
    assert play.states == {"a": "SUCCESS", "b": "SKIPPED", "c0": "SKIPPED"}

    play.settle()

    assert play.state is WorkflowState.SUCCESS
    assert set(play.states.values()) == {"SUCCESS", "SKIPPED"}


def test_pause_holds_waiting_attempts_in_steps() -> None:
    """Five waiting attempts, two a step; the run is PAUSED with the last one."""
    play = started(*(a_task(name, delay_s=60) for name in ROOTS))
    play.limit_rows(2)
    play.command(CommandKind.PAUSE)
    assert (play.state.value, rows_of(play)) == ("PAUSING", 2)

    assert play.settle() == 2
    assert play.state is WorkflowState.PAUSED


def test_resume_lets_them_go_in_steps() -> None:
    """The run is RUNNING at once, its rows follow."""
    play = started(*(a_task(name, delay_s=60) for name in ROOTS))
    play.command(CommandKind.PAUSE)
    play.limit_rows(2)
    play.command(CommandKind.RESUME)
    assert (play.state, rows_of(play)) == (WorkflowState.RUNNING, 2)

    play.settle()
    assert set(play.states.values()) == {"DELAYED"}


def test_stop_does_not_end_while_a_row_is_still_to_be_killed() -> None:
    """A STOPPED run with a PAUSED row would be a row that nobody looks at any more."""
    # Seen to fail without `_to_sweep(1)` in `convergence._finish`.
    play = started(*(a_task(name, delay_s=60) for name in ROOTS))
    play.limit_rows(2)
    play.command(CommandKind.PAUSE)
    play.command(CommandKind.STOP)
    while play.instance.is_unsettled:
        assert play.state is WorkflowState.STOPPING
        play.go_on()

    assert play.state is WorkflowState.STOPPED
    assert play.states == dict.fromkeys(ROOTS, "KILLED")


def test_a_failure_under_end_sweeps_in_steps_and_then_ends() -> None:
    """The same for a run that ends after a failure."""
    waiting = [a_task(name, delay_s=60) for name in ROOTS]
    play = started(a_task("bad"), *waiting, on_failure=OnFailure.END)
    play.running("bad")
    play.command(CommandKind.PAUSE)
    play.limit_rows(2)
    play.fail("bad")
    play.settle()

    assert play.state is WorkflowState.FAILURE
    assert play.states == {"bad": "FAILURE", **dict.fromkeys(ROOTS, "KILLED")}


def test_a_pausing_run_creates_what_it_owes_as_paused() -> None:
    """Ready while PAUSING: the attempts exist, held; only then the run is PAUSED."""
    play = started(*map(a_task, ROOTS), row_limit=2)
    play.command(CommandKind.PAUSE)
    for task in list(play.states):
        if play[task].state is TaskState.SUBMITTED:
            play.notify(task, RecallWon)
    play.settle()

    assert play.state is WorkflowState.PAUSED
    assert play.states == dict.fromkeys(ROOTS, "PAUSED")


def test_a_stopping_run_creates_nothing_more() -> None:
    """What was owed is still to run, so that it ends STOPPED."""
    play = started(*map(a_task, ROOTS), row_limit=2)
    play.running("r0", "r1")
    owed = len(play.instance.owed)
    play.command(CommandKind.STOP)
    assert not play.instance.is_unsettled
    play.succeed("r0", "r1")

    assert owed
    assert play.state is WorkflowState.STOPPED
    assert not {row.task for row in play.last.inserted}


@pytest.mark.parametrize("row_limit", [1, 2, 1000])
def test_the_limit_changes_no_outcome(row_limit: int) -> None:
    """However small the steps, the same attempts end the same way."""
    play = a_play(
        a_task("s"),
        *(a_task(name, "s") for name in ROOTS),
        a_task("join", *ROOTS),
        a_task("alarm", *ROOTS, trigger=Trigger.ONE_FAILED),
        row_limit=row_limit,
    ).start()
    play.succeed("s")
    play.settle()
    for name in ROOTS:
        play.report(name, TaskResult, state=TaskState.FAILURE if name == "r3" else TaskState.SUCCESS)
    play.settle()
    play.succeed("alarm")

    assert play.states == {
        "s": "SUCCESS",
        **dict.fromkeys(ROOTS, "SUCCESS"),
        "r3": "FAILURE",
        "alarm": "SUCCESS",
    }
    assert play.state is WorkflowState.FAILURE


def test_a_dry_run_is_walked_in_steps_too() -> None:
    """Every task succeeds without a hand-over, two rows a step, and loading the rows agrees in between."""
    play = a_play(
        a_task("s", delay_s=60),
        *(a_task(name, "s") for name in ROOTS),
        a_task("alarm", *ROOTS, trigger=Trigger.ONE_FAILED),
        a_task("join", *ROOTS),
        row_limit=2,
    )
    play.instance = loaded(play.instance.definition, a_head(dry_run=True))
    play.start()
    assert play.states == {"r0": "SUCCESS", "s": "SUCCESS"}

    play.settle()

    assert play.states == {**dict.fromkeys(["s", *ROOTS, "join"], "SUCCESS"), "alarm": "SKIPPED"}
    assert play.state is WorkflowState.SUCCESS
    assert {row.dispatched_at for row in play.rows.values()} == {None}


def test_a_stop_of_a_paused_run_kills_in_steps_and_lets_nothing_in_between() -> None:
    """R3: 5 held rows, 2 a step. It has no STOPPING: it stays PAUSED until the last one, for all to see why."""
    play = started(*(a_task(name, delay_s=60) for name in ROOTS))
    play.command(CommandKind.PAUSE)
    play.limit_rows(2)
    play.command(CommandKind.STOP)
    assert (play.state, rows_of(play), play.head.reason) == (WorkflowState.PAUSED, 2, "stopped")
    for kind in (CommandKind.RESUME, CommandKind.PAUSE):
        with pytest.raises(Conflict, match="being stopped"):
            play.command(kind)
    with pytest.raises(RepeatedEvent):
        play.command(CommandKind.STOP)

    again = loaded(play.instance.definition, play.head, play.rows.values())
    assert again.is_unsettled
    assert play.settle() == 2

    assert (play.state, play.head.reason) == (WorkflowState.STOPPED, "stopped")
    assert play.states == dict.fromkeys(ROOTS, "KILLED")
