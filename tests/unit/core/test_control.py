"""What start, pause, resume and stop change, and where they do not fit."""

from datetime import timedelta

import pytest

from orchestrator.core.command import CommandKind
from orchestrator.core.definition import Trigger
from orchestrator.core.event import CHILD_DIED, TaskResult
from orchestrator.core.notice import AttemptLost, CannotStart, RecallLost, RecallWon, RunTimeout
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.core.wants import Dispatch, Kill, Recall, WakeAt
from orchestrator.errors import Conflict, RepeatedEvent
from tests.builders import INSTANCE_ID, NOW, a_head, a_task, loaded
from tests.unit.core.play import Play, a_play, started

START, PAUSE, RESUME, STOP = CommandKind.START, CommandKind.PAUSE, CommandKind.RESUME, CommandKind.STOP
RUN_TIMEOUT = RunTimeout(workflow_instance_id=INSTANCE_ID)

# What each command meets in each state: `ok`, a harmless repeat, or a refusal.
TABLE = [
    ("state", "START", "PAUSE", "RESUME", "STOP"),
    ("SUBMITTED", "ok", "ok", "refused", "ok"),
    ("WAITING", "repeated", "ok", "repeated", "ok"),
    ("RUNNING", "repeated", "ok", "repeated", "ok"),
    ("PAUSING", "repeated", "repeated", "ok", "ok"),
    ("PAUSED", "repeated", "repeated", "ok", "ok"),
    ("STOPPING", "repeated", "refused", "refused", "repeated"),
    ("STOPPED", "repeated", "refused", "refused", "repeated"),
    ("SUCCESS", "repeated", "refused", "refused", "refused"),
    ("FAILURE", "repeated", "refused", "refused", "refused"),
]


@pytest.mark.parametrize(
    ("state", "kind", "answer"),
    [
        (WorkflowState(row[0]), CommandKind(kind), answer)
        for row in TABLE[1:]
        for kind, answer in zip(TABLE[0][1:], row[1:], strict=True)
    ],
)
def test_each_command_meets_each_state(state: WorkflowState, kind: CommandKind, answer: str) -> None:
    """Accepted on the states of SEMANTICS 7; a repeat is harmless; a race is a clear refusal."""
    play = a_play()
    play.instance = loaded(play.instance.definition, a_head(state=state))
    if answer == "ok":
        assert play.command(kind).head is not None
    else:
        with pytest.raises(Conflict if answer == "refused" else RepeatedEvent, match=state):
            play.command(kind)


# --- start -----------------------------------------------------------------------------------


def test_start_submits_exactly_the_roots() -> None:
    """RUNNING with its roots SUBMITTED is one transition, numbered in the order of the graph."""
    play = a_play(a_task("a"), a_task("b"), a_task("c", "a", "b"), timeout_s=60)
    play.wait(1)
    play.start()

    assert play.states == {"a": "SUBMITTED", "b": "SUBMITTED"}
    assert (play.state, play.head.started_at) == (WorkflowState.RUNNING, NOW + timedelta(seconds=1))
    assert play.head.timeout_at == NOW + timedelta(seconds=61)
    assert [(row.task, row.sequence) for row in play.last.inserted] == [("a", 1), ("b", 2)]
    assert play.head.next_sequence == 3


@pytest.mark.parametrize("trigger", list(Trigger))
def test_roots_run_under_every_trigger(trigger: Trigger) -> None:
    """A task that depends on nothing has nothing to wait for."""
    play = started(a_task(trigger=trigger))

    assert play.states == {"a": "SUBMITTED"}


def test_delayed_root_waits_for_its_time() -> None:
    """The delay holds no worker: the master's timer does."""
    play = started(a_task(delay_s=30))

    assert play.wants("a") == WakeAt(NOW + timedelta(seconds=30))


def test_a_disabled_task_is_a_wire() -> None:
    """Its downstreams depend on its upstreams; it has no attempt."""
    play = started(a_task("a"), a_task("b", "a", disabled=True), a_task("c", "b"))
    assert play.states == {"a": "SUBMITTED"}

    play.succeed("a")

    assert play.states == {"a": "SUCCESS", "c": "SUBMITTED"}


def test_behind_disabled_roots_are_roots() -> None:
    """A wire from nowhere holds nothing back."""
    play = started(a_task("a", disabled=True), a_task("b", "a", disabled=True), a_task("c", "b"))

    assert play.states == {"c": "SUBMITTED"}


def test_a_workflow_of_disabled_tasks_is_a_success() -> None:
    """There is nothing to do, and it is done."""
    play = started(a_task("a", disabled=True), a_task("b", "a", disabled=True))

    assert (play.state, play.head.ended_at) == (WorkflowState.SUCCESS, NOW)
    assert play.rows == {}


def test_a_definition_that_can_never_start_ends_with_its_reason() -> None:
    """FAILURE, an alert, and nothing was dispatched."""
    play = a_play()
    play.notice(CannotStart(workflow_instance_id=INSTANCE_ID, reason="the tasks form a cycle: a -> a"))

    assert (play.state, play.head.reason) == (WorkflowState.FAILURE, "the tasks form a cycle: a -> a")
    assert [alert.kind for alert in play.alerts] == ["workflow_failure"]


@pytest.mark.parametrize("kind", [START, PAUSE, STOP])
def test_what_started_or_was_paused_is_not_ended_by_a_late_start(kind: CommandKind) -> None:
    """A START that comes again changes nothing, even if the definition cannot be read any more."""
    play = a_play()
    play.command(kind)

    with pytest.raises(RepeatedEvent):
        play.notice(CannotStart(workflow_instance_id=INSTANCE_ID, reason="unreadable"))


# --- pause and resume ------------------------------------------------------------------------


def test_pause_holds_what_waits_recalls_what_is_handed_over_and_lets_run_what_runs() -> None:
    """Nothing new starts, and the run is PAUSED when the last running task has ended."""
    play = started(
        a_task("delayed", delay_s=60),
        a_task("queued"),
        a_task("ready"),
        a_task("runs"),
        a_task("next", "runs"),
    )
    play.dispatched("queued")
    play.running("runs")
    play.command(PAUSE)

    assert play.state.value == "PAUSING"
    assert play["delayed"].state is TaskState.PAUSED
    assert play.wants("queued") == play.wants("ready") == Recall()
    assert play.wants("runs") is None

    play.notify("queued", RecallWon)
    play.notify("ready", RecallWon)
    assert (play["queued"].state, play["queued"].dispatch) == (TaskState.PAUSED, 2)
    play.succeed("runs")

    assert play["next"].state is TaskState.PAUSED
    assert play.state is WorkflowState.PAUSED
    assert play.head.ended_at is None


def test_resume_goes_on_with_the_same_rows() -> None:
    """What had a time keeps it; what was ready is submitted; nothing is a new attempt."""
    play = started(a_task("delayed", delay_s=60), a_task("ready"))
    play.command(PAUSE)
    play.notify("ready", RecallWon)
    play.wait(10)
    play.command(RESUME)

    assert play.states == {"delayed": "DELAYED", "ready": "SUBMITTED"}
    assert play.wants("delayed") == WakeAt(NOW + timedelta(seconds=60))
    assert play.wants("ready") == Dispatch()
    assert play.last.inserted == ()
    assert (play.state, play.head.paused_at) == (WorkflowState.RUNNING, None)


def test_resume_while_pausing_calls_off_the_recall() -> None:
    """What was not taken back yet is simply left where it is."""
    play = started(a_task())
    play.dispatched("a")
    play.command(PAUSE)
    play.command(RESUME)

    assert play.state is WorkflowState.RUNNING
    assert play["a"].state is TaskState.DISPATCHED
    assert play.wants("a") != Recall()


def test_a_recall_that_won_after_resume_is_a_new_dispatch() -> None:
    """The claim is taken for ever: the hand-over is dead, the attempt is not."""
    play = started(a_task())
    play.dispatched("a")
    play.notify("a", RecallWon)

    assert (play["a"].state, play["a"].dispatch) == (TaskState.SUBMITTED, 2)
    assert play.wants("a") == Dispatch()


def test_retry_and_replacement_of_a_pausing_run_are_held() -> None:
    """Ready, lost, or failed with retries left, while PAUSING: PAUSED."""
    play = started(a_task("fails", retries=1, retry_delay_s=60), a_task("dies"), a_task("lost"))
    play.running("fails", "dies", "lost")
    play.command(PAUSE)
    play.fail("fails")
    play.fail("dies", error=CHILD_DIED)
    play.notify("lost", AttemptLost, incarnation="w1-1", reason="gone")

    assert play.states == {"dies": "PAUSED", "fails": "PAUSED", "lost": "PAUSED"}
    assert play.state is WorkflowState.PAUSED

    play.command(RESUME)
    assert play.states == {"dies": "SUBMITTED", "fails": "DELAYED", "lost": "SUBMITTED"}


def test_skipped_tasks_are_decided_while_pausing() -> None:
    """Skipping starts nothing."""
    play = started(a_task("a"), a_task("b", "a", trigger=Trigger.ONE_FAILED), a_task("c", "b"))
    play.running("a")
    play.command(PAUSE)
    play.succeed("a")

    assert play.states == {"a": "SUCCESS", "b": "SKIPPED", "c": "SKIPPED"}
    assert play.state is WorkflowState.SUCCESS


@pytest.mark.parametrize(
    ("ended", "state"), [("SUCCESS", WorkflowState.SUCCESS), ("FAILURE", WorkflowState.FAILURE)]
)
def test_pausing_with_nothing_left_to_run_is_the_end(ended: str, state: WorkflowState) -> None:
    """PAUSING ends PAUSED only if anything is still to run, else FAILURE, else SUCCESS."""
    play = started(a_task("a"), a_task("b"))
    play.running("a", "b")
    play.command(PAUSE)
    play.succeed("a")
    play.report("b", TaskResult, state=TaskState(ended))

    assert play.state is state
    assert play.head.paused_at is None


def test_paused_before_its_start_a_run_starts_when_resumed() -> None:
    """SUBMITTED -> PAUSED -> RUNNING; the START that comes meanwhile is a repeat."""
    play = a_play(timeout_s=60)
    play.command(PAUSE)
    assert (play.state, play.states) == (WorkflowState.PAUSED, {})
    with pytest.raises(RepeatedEvent):
        play.command(START)

    play.wait(100)
    play.command(RESUME)

    assert (play.state, play.states) == (WorkflowState.RUNNING, {"a": "SUBMITTED"})
    assert play.head.timeout_at == NOW + timedelta(seconds=160)


# --- stop ------------------------------------------------------------------------------------


def everything_at_once() -> Play:
    """Return a started run with an attempt in each active state, and one task behind them."""
    play = started(
        a_task("delayed", delay_s=60),
        a_task("queued"),
        a_task("ready"),
        a_task("runs", retries=3),
        a_task("clean", "runs", trigger=Trigger.ALL_DONE),
    )
    play.dispatched("queued")
    play.running("runs")
    return play


def test_stop_kills_recalls_and_ends_stopped() -> None:
    """Waiting ones at once, handed-over ones by recall, running ones by their own report."""
    play = everything_at_once()
    play.command(STOP)

    assert play.state is WorkflowState.STOPPING
    assert play["delayed"].state is TaskState.KILLED
    assert (play.wants("queued"), play.wants("ready"), play.wants("runs")) == (Recall(), Recall(), Kill())

    play.notify("queued", RecallWon)
    play.notify("ready", RecallWon)
    assert play.state is WorkflowState.STOPPING
    play.report("runs", TaskResult, state=TaskState.KILLED)

    assert play.states == dict.fromkeys(["delayed", "queued", "ready", "runs"], "KILLED")
    assert (play.state, play.head.reason) == (WorkflowState.STOPPED, "stopped")
    assert play.alerts == []


def test_stopping_retries_nothing_and_runs_no_clean_up() -> None:
    """A failure while STOPPING is final, and the all_done task behind it stays unborn."""
    play = started(a_task("a", retries=3), a_task("clean", "a", trigger=Trigger.ALL_DONE))
    play.running("a")
    play.command(STOP)
    play.fail("a")

    assert play.states == {"a": "FAILURE"}
    assert play.state is WorkflowState.STOPPED


def test_what_is_lost_while_stopping_was_killed() -> None:
    """The worker's death confirms the stop."""
    play = started(a_task("a"), a_task("b"))
    play.running("a", "b")
    play.command(STOP)
    play.notify("a", AttemptLost, incarnation="w1-1", reason="gone")
    play.fail("b", error=CHILD_DIED, reason="SIGKILL")

    assert play.states == {"a": "KILLED", "b": "KILLED"}
    assert play.state is WorkflowState.STOPPED


@pytest.mark.parametrize(
    ("results", "state"),
    [
        (("SUCCESS", "SUCCESS"), "SUCCESS"),
        (("SUCCESS", "FAILURE"), "FAILURE"),
        (("KILLED", "FAILURE"), "STOPPED"),
        (("KILLED", "SUCCESS"), "STOPPED"),
    ],
)
def test_stop_that_comes_too_late_ends_as_the_tasks_did(results: tuple[str, str], state: str) -> None:
    """STOPPED if anything was killed, else FAILURE, else SUCCESS."""
    play = started(a_task("a"), a_task("b"))
    play.running("a", "b")
    play.command(STOP)
    for task, result in zip("ab", results, strict=True):
        play.report(task, TaskResult, state=TaskState(result))

    assert play.state.value == state


def test_stop_with_something_still_to_run_ends_stopped() -> None:
    """Nothing was killed, but the join never came."""
    play = started(a_task("a"), a_task("b", "a"))
    play.running("a")
    play.command(STOP)
    play.succeed("a")

    assert play.states == {"a": "SUCCESS"}
    assert play.state is WorkflowState.STOPPED


def test_a_recall_that_lost_waits_for_the_holder() -> None:
    """The holder is known: no second recall; when it runs it is killed."""
    play = started(a_task())
    play.dispatched("a")
    play.command(STOP)
    play.notify("a", RecallLost, worker="w1", incarnation="w1-1")
    assert play.wants("a") is None

    play.running("a")
    assert play.wants("a") == Kill()


def test_stop_of_a_paused_run_is_done_at_once() -> None:
    """Nothing is active: paused rows are killed and the run is STOPPED in one step."""
    play = started(a_task("a"), a_task("b", delay_s=9), a_task("c", "a", trigger=Trigger.ALL_DONE))
    play.command(PAUSE)
    play.notify("a", RecallWon)
    play.command(STOP)

    assert play.states == {"a": "KILLED", "b": "KILLED"}
    assert (play.state, play.head.ended_at) == (WorkflowState.STOPPED, NOW)
    assert not play.instance.is_unsettled


def test_stop_before_the_start_starts_nothing() -> None:
    """SUBMITTED -> STOPPED; the START that comes then is a repeat."""
    play = a_play()
    play.command(STOP)

    assert (play.state, play.states) == (WorkflowState.STOPPED, {})
    with pytest.raises(RepeatedEvent):
        play.command(START)


def test_stop_while_pausing_kills_what_was_held() -> None:
    """PAUSING -> STOPPING: paused rows do not survive."""
    play = started(a_task("held", delay_s=60), a_task("runs"))
    play.running("runs")
    play.command(PAUSE)
    play.command(STOP)
    assert play.states == {"held": "KILLED", "runs": "RUNNING"}

    play.succeed("runs")
    assert play.state is WorkflowState.STOPPED


# --- the run's own timeout -------------------------------------------------------------------


def test_run_timeout_alerts_once_and_lets_it_go_on() -> None:
    """`on_timeout: alert`: people hear of it, nothing else happens, also when the timer fires again."""
    play = started(timeout_s=60)
    play.wait(60)
    play.notice(RUN_TIMEOUT)

    assert play.state is WorkflowState.RUNNING
    assert [alert.kind for alert in play.alerts] == ["workflow_timeout"]
    with pytest.raises(RepeatedEvent):
        play.notice(RUN_TIMEOUT)


def test_run_timeout_stops_if_it_should() -> None:
    """`on_timeout: stop`: STOPPED, and the reason says why."""
    play = started(timeout_s=60, on_timeout="stop")
    play.running("a")
    play.wait(60)
    play.notice(RUN_TIMEOUT)
    assert play.wants("a") == Kill()
    play.report("a", TaskResult, state=TaskState.KILLED)

    assert (play.state, play.head.reason) == (WorkflowState.STOPPED, "timeout")


def test_paused_time_does_not_count_for_the_runs_timeout() -> None:
    """Paused for 100 s, it may run 100 s longer; while paused it does not time out."""
    play = started(timeout_s=60)
    play.wait(10)
    play.command(PAUSE)
    play.wait(100)
    with pytest.raises(RepeatedEvent, match="PAUSING"):
        play.notice(RUN_TIMEOUT)
    play.command(RESUME)

    assert play.head.timeout_at == NOW + timedelta(seconds=160)
    with pytest.raises(RepeatedEvent, match="no timeout is due"):
        play.notice(RUN_TIMEOUT)
    play.wait(50)
    assert play.notice(RUN_TIMEOUT).alerts


def test_time_counts_from_the_first_of_two_pauses() -> None:
    """PAUSING and PAUSED are one pause; a second pause begins anew."""
    play = started(a_task("a"), a_task("b", "a"), timeout_s=60)
    play.running("a")
    play.command(PAUSE)
    play.wait(10)
    play.succeed("a")
    play.wait(10)
    play.command(RESUME)
    play.wait(10)
    play.command(PAUSE)
    play.wait(5)
    play.command(RESUME)

    assert play.head.timeout_at == NOW + timedelta(seconds=60 + 20 + 5)


def test_a_run_without_timeout_never_times_out() -> None:
    """A stray timer changes nothing."""
    play = started()
    play.wait(10**6)

    with pytest.raises(RepeatedEvent):
        play.notice(RUN_TIMEOUT)
