"""What recover, rerun and force-success change, and where they do not fit."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from orchestrator.core.command import CommandKind
from orchestrator.core.definition import OnFailure, TaskDefinition, Trigger
from orchestrator.core.event import CHILD_DIED, TaskResult
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.errors import AheadOfMemory, Conflict, RepeatedEvent, StaleEvent
from tests.builders import INSTANCE_ID, NOW, a_head, a_task, an_attempt, loaded
from tests.unit.core.play import Play, a_play, started

RECOVER, RERUN, FORCE = CommandKind.RECOVER, CommandKind.RERUN, CommandKind.FORCE_SUCCESS
PAUSE, STOP = CommandKind.PAUSE, CommandKind.STOP

TABLE = [
    ("state", "RECOVER", "RERUN", "FORCE_SUCCESS"),
    ("SUBMITTED", "refused", "refused", "refused"),
    ("WAITING", "refused", "refused", "refused"),
    ("RUNNING", "refused", "refused", "refused"),
    ("PAUSING", "refused", "refused", "refused"),
    ("PAUSED", "refused", "refused", "refused"),
    ("STOPPING", "refused", "refused", "refused"),
    ("STOPPED", "ok", "ok", "ok"),
    ("SUCCESS", "refused", "ok", "ok"),
    ("FAILURE", "ok", "ok", "ok"),
]
"""What each command meets in each state (SEMANTICS 7)."""


@pytest.mark.parametrize(
    ("state", "kind", "answer"),
    [
        (WorkflowState(row[0]), CommandKind(kind), answer)
        for row in TABLE[1:]
        for kind, answer in zip(TABLE[0][1:], row[1:], strict=True)
    ],
)
def test_each_command_meets_each_state(state: WorkflowState, kind: CommandKind, answer: str) -> None:
    """Recover fits FAILURE and STOPPED, rerun and force-success every end; else a clear refusal."""
    play = a_play()
    attempt = an_attempt("a", state=TaskState.FAILURE, ended_at=NOW)
    play.rows["a", 1] = attempt
    play.instance = loaded(play.instance.definition, a_head(state=state), [attempt])
    if answer == "ok":
        assert play.command(kind, task="a") is not None
    else:
        with pytest.raises(Conflict, match=state):
            play.command(kind, task="a")


def failed_chain() -> Play:
    """Return a run of `a` -> `b` -> `c` -> `clean` (all_done), and `side` beside it, where `b` failed."""
    play = started(
        a_task("a"),
        a_task("b", "a"),
        a_task("c", "b"),
        a_task("clean", "c", trigger=Trigger.ALL_DONE),
        a_task("side"),
    )
    play.succeed("side", "a")
    play.fail("b")
    play.succeed("clean")
    assert play.states == {"a": "SUCCESS", "b": "FAILURE", "clean": "SUCCESS", "side": "SUCCESS"}
    assert play.state is WorkflowState.FAILURE
    return play


# --- recover ---------------------------------------------------------------------------------


def test_recover_runs_again_what_failed_and_everything_behind_it() -> None:
    """The failed task and the clean-up behind it get new attempts, the task between its first; the rest stays."""
    play = failed_chain()
    play.wait(100)
    play.command(RECOVER, run_count=1)
    assert play.states == {"a": "SUCCESS", "b": "SUBMITTED", "side": "SUCCESS"}
    assert play.instance.spent == {"clean": 1}

    play.succeed("b", "c", "clean")

    assert (play.state, play.head.run_count) == (WorkflowState.SUCCESS, 2)
    assert sorted(play.rows) == [
        ("a", 1),
        ("b", 1),
        ("b", 2),
        ("c", 1),
        ("clean", 1),
        ("clean", 2),
        ("side", 1),
    ]
    assert play.instance.spent == {}
    assert play.rows["b", 1].state is TaskState.FAILURE


def test_recover_clears_what_the_end_left_in_the_head() -> None:
    """RUNNING, no end, no reason, its whole time again; the start stays the first one."""
    play = started(timeout_s=60, on_failure=OnFailure.END)
    play.wait(50)
    play.fail("a")
    play.wait(50)
    play.command(RECOVER)

    head = play.head
    assert (head.state, head.run_count) == (WorkflowState.RUNNING, 2)
    assert (head.ended_at, head.reason, head.timed_out, head.ending) == (None, None, False, False)
    assert (head.started_at, head.timeout_at) == (NOW, NOW + timedelta(seconds=160))


def test_recover_gives_a_fresh_retry_count() -> None:
    """Retries, losses and deaths of the earlier run count are forgotten."""
    play = started(a_task("a", retries=2))
    play.report("a", TaskResult, state=TaskState.FAILURE, error=CHILD_DIED)
    play.fail("a", "a", "a")
    assert (play["a"].attempt, play["a"].failures) == (4, 2)

    play.command(RECOVER)

    attempt = play["a"]
    assert (attempt.attempt, attempt.failures, attempt.losses, attempt.deaths) == (5, 0, 0, 0)
    play.fail("a", "a", "a")
    assert (play["a"].attempt, play.state) == (7, WorkflowState.FAILURE)


def test_recover_of_a_stopped_run_runs_the_killed_and_what_never_began() -> None:
    """What had succeeded stays."""
    play = started(a_task("a"), a_task("b"), a_task("c", "b"))
    play.succeed("a")
    play.running("b")
    play.command(STOP)
    play.report("b", TaskResult, state=TaskState.KILLED)
    assert play.head.state is WorkflowState.STOPPED

    play.command(RECOVER)
    play.succeed("b", "c")

    assert play.state.value == "SUCCESS"
    assert sorted(play.rows) == [("a", 1), ("b", 1), ("b", 2), ("c", 1)]


def test_recover_of_a_run_that_was_stopped_before_its_start_starts_it() -> None:
    """All of it is not-run."""
    play = a_play(a_task("a"), a_task("b", "a"))
    play.command(STOP)
    play.wait(5)

    play.command(RECOVER)

    assert play.states == {"a": "SUBMITTED"}
    assert play.head.started_at == NOW + timedelta(seconds=5)


def test_a_run_that_fails_again_tells_people_again() -> None:
    """The alert's key names the run count."""
    play = started()
    play.fail("a")
    play.command(RECOVER)
    play.fail("a")

    assert play.state is WorkflowState.FAILURE
    assert len({alert.key for alert in play.alerts}) == len(play.alerts) == 2


def test_a_recover_sent_twice_is_one_recovery() -> None:
    """The second speaks of a run count that is over, whether the run is running again or has ended again."""
    play = started()
    play.fail("a")
    play.command(RECOVER, run_count=1)
    for _ in range(2):
        with pytest.raises(RepeatedEvent):
            play.command(RECOVER, run_count=1)
        if play.state is WorkflowState.RUNNING:
            with pytest.raises(RepeatedEvent):
                play.command(RECOVER)
            play.fail("a")
    assert play.head.run_count == 2


def test_a_step_of_a_recovery_creates_a_bounded_number_of_attempts() -> None:
    """All that is run again stops being current at once; new attempts come step by step, numbered on."""
    play = started(*(a_task(f"t{number}") for number in range(5)))
    play.fail(*(f"t{number}" for number in range(5)))
    play.limit_rows(2)
    play.command(RECOVER)
    assert (len(play.instance.attempts), len(play.instance.spent)) == (2, 3)
    assert play.instance.is_unsettled

    play.settle()

    assert {play[f"t{number}"].attempt for number in range(5)} == {2}
    assert play.instance.spent == {}


def test_a_recovered_run_can_be_paused_stopped_and_recovered_once_more() -> None:
    """Numbers of attempts go on through everything, also of a task that was not reached in between."""
    play = started(a_task("a"), a_task("b", "a", trigger=Trigger.ALL_DONE))
    play.fail("a")
    play.succeed("b")
    play.command(RECOVER)
    play.running("a")
    play.command(PAUSE)
    play.command(STOP)
    play.report("a", TaskResult, state=TaskState.KILLED)
    assert (play.state, play.instance.spent) == (WorkflowState.STOPPED, {"b": 1})

    play.command(RECOVER)
    play.succeed("a", "b")

    assert play.state is WorkflowState.SUCCESS
    assert (play["a"].attempt, play["b"].attempt, play.head.run_count) == (3, 2, 3)


def test_a_late_report_of_an_attempt_that_counts_no_longer_is_stale() -> None:
    """Whether its task has a new attempt or not; what is ahead of every attempt still asks for a reload."""
    play = failed_chain()
    old, ahead = play.event("clean", TaskResult, state=TaskState.SUCCESS), play["clean"]
    failed = play.event("b", TaskResult, state=TaskState.FAILURE)
    play.command(RECOVER)

    for event in (old, failed):
        with pytest.raises(StaleEvent):
            play.deliver(event)
    with pytest.raises(AheadOfMemory):
        play.deliver(replace(old, attempt=ahead.attempt + 1))


def test_recover_of_a_dry_run_walks_the_graph_again() -> None:
    """Nothing is executed then either."""
    play = a_play(a_task("a"), a_task("b", "a"))
    play.instance = loaded(play.instance.definition, a_head(dry_run=True))
    play.start()
    assert play.state is WorkflowState.SUCCESS

    play.command(RERUN)

    assert (play.state, play.head.run_count) == (WorkflowState.SUCCESS, 2)
    assert play.states == {"a": "SUCCESS", "b": "SUCCESS"}


def test_recover_leaves_an_absorbed_failure_and_what_it_blocks() -> None:
    """A failure that conditions name stays one; another failure and everything behind it runs again."""
    spec = {"all": [{"task": "a", "is": "success"}], "failure": ["alarm"], "success": ["report"]}
    play = started(
        a_task("a"),
        a_task("blocked", "a"),
        a_task("behind", "blocked", trigger=Trigger.ALL_DONE),
        a_task("check", "a", type="conditions", spec=spec),
        a_task("alarm", "check"),
        a_task("report", "check"),
        a_task("other"),
        a_task("last", "other", "alarm"),
    )
    play.fail("a", "other")
    play.succeed("alarm", "behind")
    assert play.state is WorkflowState.FAILURE

    play.command(RECOVER)
    play.succeed("other", "last")

    assert play.state.value == "SUCCESS"
    assert {
        task: attempt.attempt for task, attempt in play.instance.attempts.items() if attempt.attempt > 1
    } == {"other": 2}
    assert (play["a"].state, "blocked" in play.states) == (TaskState.FAILURE, False)


def conditional_chain() -> Play:
    """Return a started run of `a`, which the conditions task `check` names, and its two branches."""
    spec = {"all": [{"task": "a", "is": "success"}], "failure": ["alarm"], "success": ["report"]}
    return started(
        a_task("a"),
        a_task("check", "a", type="conditions", spec=spec),
        a_task("alarm", "check"),
        a_task("report", "check"),
    )


def test_recover_runs_again_what_a_stop_killed_before_its_conditions_task_looked() -> None:
    """The stop was a person's: nobody has absorbed it, and the branch for failures is not taken."""
    play = conditional_chain()
    play.running("a")
    play.command(STOP)
    play.report("a", TaskResult, state=TaskState.KILLED)

    play.command(RECOVER)
    play.succeed("a", "report")

    assert play.state is WorkflowState.SUCCESS
    assert play.states == {"a": "SUCCESS", "alarm": "SKIPPED", "check": "SUCCESS", "report": "SUCCESS"}


def test_recover_leaves_what_was_killed_and_absorbed() -> None:
    """Its conditions task has looked and taken the branch for failures: only what failed there runs again."""
    play = conditional_chain()
    play.report("a", TaskResult, state=TaskState.KILLED)
    play.fail("alarm")

    play.command(RECOVER)
    play.succeed("alarm")

    assert play.state is WorkflowState.SUCCESS
    assert (play["a"].state, play["a"].attempt, play["alarm"].attempt) == (TaskState.KILLED, 1, 2)


# --- rerun -----------------------------------------------------------------------------------


def succeeded(*tasks: TaskDefinition) -> Play:
    """Return a run of `a` -> `b` -> `c` and `side`, ended SUCCESS."""
    play = started(*(tasks or (a_task("a"), a_task("b", "a"), a_task("c", "b"), a_task("side"))))
    play.succeed(*(play.instance.graph.order))
    assert play.state is WorkflowState.SUCCESS
    return play


@pytest.mark.parametrize(
    ("body", "again"),
    [({}, ["a", "b", "c", "side"]), ({"from_": "b"}, ["b", "c"]), ({"only": "b"}, ["b"])],
)
def test_rerun_runs_again_all_one_task_and_what_is_behind_it_or_one_task(
    body: dict[str, Any], again: list[str]
) -> None:
    """What is not named keeps its attempt and its outputs."""
    play = succeeded()
    play.command(RERUN, **body)
    play.succeed(*again)

    assert (play.state, play.head.run_count) == (WorkflowState.SUCCESS, 2)
    assert [task for task, attempt in sorted(play.instance.attempts.items()) if attempt.attempt == 2] == again


def test_rerun_takes_new_parameters_and_keeps_the_others() -> None:
    """Names that are given replace the start parameters of before."""
    play = succeeded()
    play.instance.apply(
        replace(play.last, current=(), nodes=(), head=replace(play.head, params={"x": 1, "y": 1}))
    )
    play.command(RERUN, params={"y": 2})

    assert play.head.params == {"x": 1, "y": 2}


def test_rerun_of_one_task_lets_follow_what_never_ran() -> None:
    """Nothing else runs again; but what only waited for this task is not left out of a SUCCESS."""
    play = failed_chain()
    play.command(RERUN, only="b")
    play.succeed("b", "c")

    assert play.state is WorkflowState.SUCCESS
    assert sorted(play.rows) == [("a", 1), ("b", 1), ("b", 2), ("c", 1), ("clean", 1), ("side", 1)]


def test_a_rerun_that_was_overtaken_is_refused() -> None:
    """It meant the run as it was: whether it still does, a person must say."""
    play = started()
    play.fail("a")
    play.command(RECOVER, run_count=1)
    play.fail("a")

    with pytest.raises(Conflict, match="run again meanwhile"):
        play.command(RERUN, run_count=1)


@pytest.mark.parametrize(
    ("kind", "body", "message"),
    [
        (RERUN, {"from_": "x"}, "no task 'x'"),
        (RERUN, {"only": "off"}, "no task 'off'"),
        (RERUN, {"only": "a", "from_": "a"}, "not both"),
        (RERUN, {"params": [1]}, "'params' is a list"),
        (RERUN, {"only": 7}, "'only' is a int"),
        (RECOVER, {"run_count": "1"}, "'run_count' is a str"),
        (FORCE, {}, "no task ''"),
        (FORCE, {"task": "a"}, "a is SUCCESS"),
        (FORCE, {"task": "behind"}, "was not run"),
        (FORCE, {"task": "b", "attempt": 2}, "run again meanwhile, attempt 1"),
        (FORCE, {"task": "b", "outputs": 3}, "'outputs' is a int"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_reason(
    kind: CommandKind, body: dict[str, Any], message: str
) -> None:
    """Whatever stands in the body, the answer is a Conflict, and nothing is changed."""
    play = started(a_task("a"), a_task("b"), a_task("behind", "b"), a_task("off", disabled=True))
    play.succeed("a")
    play.fail("b")

    with pytest.raises(Conflict, match=message):
        play.command(kind, **body)


# --- force-success ---------------------------------------------------------------------------


def test_a_forced_success_changes_one_row_and_not_the_run() -> None:
    """FORCED_SUCCESS with the given outputs; the run stays FAILURE until it is recovered."""
    play = failed_chain()
    play.command(FORCE, task="b", attempt=1, outputs={"rows": 3})

    assert (play["b"].state, play["b"].outputs) == (TaskState.FORCED_SUCCESS, {"rows": 3})
    assert (play.state, play.head.run_count) == (WorkflowState.FAILURE, 1)
    with pytest.raises(RepeatedEvent):
        play.command(FORCE, task="b")


def test_recover_goes_on_behind_a_forced_success() -> None:
    """The forced task keeps its attempt; what was not run, and the clean-up behind it, runs."""
    play = failed_chain()
    play.command(FORCE, task="b")
    play.command(RECOVER)
    play.succeed("c", "clean")

    assert play.state is WorkflowState.SUCCESS
    assert sorted(play.rows) == [("a", 1), ("b", 1), ("c", 1), ("clean", 1), ("clean", 2), ("side", 1)]


def test_a_killed_task_can_be_forced_and_then_recover_finds_nothing_to_run() -> None:
    """The run is SUCCESS at once."""
    play = started(a_task("a"), a_task("b"))
    play.succeed("a")
    play.running("b")
    play.command(STOP)
    play.report("b", TaskResult, state=TaskState.KILLED)
    play.command(FORCE, task="b")
    play.command(RECOVER)

    assert (play.state, play.head.run_count) == (WorkflowState.SUCCESS, 2)
    assert play.head.id == INSTANCE_ID
