"""What the notices of the master's own machinery change, and when they are void."""

from datetime import timedelta
from typing import Any

import pytest

from orchestrator.core.command import CommandKind
from orchestrator.core.event import TaskDelayed
from orchestrator.core.notice import (
    AttemptDue,
    AttemptLost,
    AttemptNotice,
    AttemptTimeout,
    RecallLost,
    RecallWon,
    Unsubmittable,
)
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.core.wants import TimeoutAt, WakeAt
from orchestrator.errors import RepeatedEvent, StaleEvent
from tests.builders import NOW, a_task, notice_of
from tests.unit.core.play import started

NOTICES: dict[type[AttemptNotice], dict[str, Any]] = {
    AttemptDue: {},
    AttemptTimeout: {},
    AttemptLost: {"incarnation": "w1-1", "reason": "gone"},
    RecallWon: {},
    RecallLost: {"worker": "w1", "incarnation": "w1-1"},
    Unsubmittable: {"reason": "no value"},
}
every_notice = pytest.mark.parametrize("kind", NOTICES)


@every_notice
def test_notice_about_a_hand_over_that_is_over_is_void(kind: type[AttemptNotice]) -> None:
    """A timer or recall that comes late speaks of something that is no more."""
    play = started(a_task(delay_s=5, retries=1))
    late: Any = notice_of(play["a"], kind, **NOTICES[kind])
    play.wait(5)
    play.notify("a", AttemptDue)
    play.fail("a")

    with pytest.raises(RepeatedEvent, match="over"):
        play.notice(late)


@every_notice
def test_notice_about_a_finished_attempt_is_void(kind: type[AttemptNotice]) -> None:
    """I4: a finished attempt never changes."""
    play = started(a_task("a"), a_task("b"))
    play.succeed("a")

    with pytest.raises(RepeatedEvent, match="over"):
        play.notify("a", kind, **NOTICES[kind])


@every_notice
def test_notice_about_a_task_without_attempt_is_void(kind: type[AttemptNotice]) -> None:
    """Memory was rebuilt from rows that never had it."""
    play = started(a_task("a"), a_task("b", "a"))

    with pytest.raises(RepeatedEvent):
        play.notify("a", kind, **NOTICES[kind], task="b")


NOT_FOR: dict[type[AttemptNotice], str] = {
    AttemptDue: "SUBMITTED DISPATCHED RUNNING PAUSED",
    AttemptTimeout: "SUBMITTED DISPATCHED DELAYED PAUSED",
    AttemptLost: "DELAYED PAUSED",
    RecallWon: "RUNNING DELAYED PAUSED",
    RecallLost: "RUNNING DELAYED PAUSED",
    Unsubmittable: "DISPATCHED RUNNING DELAYED PAUSED",
}


@pytest.mark.parametrize(
    ("kind", "state"), [(kind, state) for kind, states in NOT_FOR.items() for state in states.split()]
)
def test_notice_that_does_not_fit_the_state_is_void(kind: type[AttemptNotice], state: str) -> None:
    """The token is right and the state has moved on: nothing to do, and no alarm."""
    play = started(a_task(delay_s=5 if state in ("DELAYED", "PAUSED") else 0, timeout_s=60))
    match state:
        case "DISPATCHED":
            play.dispatched("a")
        case "RUNNING":
            play.running("a")
        case "PAUSED":
            play.command(CommandKind.PAUSE)
    assert play["a"].state.value == state

    with pytest.raises(RepeatedEvent):
        play.notify("a", kind, **NOTICES[kind])


# --- due -------------------------------------------------------------------------------------


def test_attempt_is_submitted_when_its_time_has_come_and_not_before() -> None:
    """A timer that fires early changes nothing."""
    play = started(a_task(delay_s=5))
    play.wait(4.9)
    with pytest.raises(RepeatedEvent, match="not due"):
        play.notify("a", AttemptDue)

    play.wait(0.1)
    play.notify("a", AttemptDue)

    assert (play["a"].state, play["a"].due_at, play["a"].dispatch) == (TaskState.SUBMITTED, None, 1)


# --- timeout of an attempt -------------------------------------------------------------------


def test_second_line_fails_an_attempt_whose_worker_says_nothing() -> None:
    """FAILURE with reason `timeout`, an alert, and its worker's late result is stale."""
    play = started(a_task(timeout_s=60))
    play.running("a")
    assert play.wants("a") == TimeoutAt(NOW + timedelta(seconds=60))
    play.wait(60)
    play.notify("a", AttemptTimeout)

    assert (play["a"].state, play["a"].reason) == (TaskState.FAILURE, "timeout")
    assert play.state is WorkflowState.FAILURE
    assert [alert.key for alert in play.alerts] == ["task_timeout:17:1:a:1", "workflow_failure:17:1:"]


def test_timed_out_attempt_is_retried_with_a_clock_of_its_own() -> None:
    """Each attempt has its own timeout; the old worker's result is stale."""
    play = started(a_task(timeout_s=60, retries=1, retry_delay_s=10))
    play.running("a")
    late = play.event("a", TaskDelayed, seconds=1)
    play.wait(60)
    play.notify("a", AttemptTimeout)

    assert (play.rows["a", 1].state, play.rows["a", 1].reason) == (TaskState.FAILURE, "timeout")
    assert (play["a"].attempt, play["a"].failures, play["a"].timeout_at) == (2, 1, None)
    assert play.wants("a") == WakeAt(NOW + timedelta(seconds=70))
    with pytest.raises(StaleEvent):
        play.deliver(late)


def test_timeout_can_be_named_as_non_retryable() -> None:
    """`timeout` is an error like another."""
    play = started(a_task(timeout_s=60, retries=1, non_retryable=("timeout",)))
    play.running("a")
    play.notify("a", AttemptTimeout)

    assert play.state is WorkflowState.FAILURE


def test_timeout_that_only_warns_lets_it_go_on() -> None:
    """One alert, no second one, and the task may still succeed."""
    play = started(a_task(timeout_s=60, on_timeout="warn"))
    play.running("a")
    play.wait(60)
    play.notify("a", AttemptTimeout)

    assert [alert.kind for alert in play.alerts] == ["task_timeout"]
    assert play["a"].state is TaskState.RUNNING
    assert play.wants("a") is None
    with pytest.raises(RepeatedEvent):
        play.notify("a", AttemptTimeout)
    play.succeed("a")
    assert play.state is WorkflowState.SUCCESS


def test_timeout_ends_a_row_of_losses() -> None:
    """Losses are counted in a row; a failure by timeout is between them."""
    play = started(a_task(timeout_s=60, retries=1))
    play.notify("a", AttemptLost, incarnation=None, reason="gone")
    play.running("a")
    play.notify("a", AttemptTimeout)

    assert (play["a"].failures, play["a"].losses) == (1, 0)


# --- loss ------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["SUBMITTED", "DISPATCHED", "RUNNING"])
def test_lost_attempt_is_replaced_and_no_retry_is_used_up(state: str) -> None:
    """LOST gets a new attempt at once, with what was left of the retries."""
    play = started(a_task(retries=1))
    if state == "DISPATCHED":
        play.dispatched("a")
    elif state == "RUNNING":
        play.running("a")
    play.notify("a", AttemptLost, incarnation="w1-1", reason="silent for 15 s")

    assert (play.rows["a", 1].state, play.rows["a", 1].reason) == (TaskState.LOST, "silent for 15 s")
    assert not play.rows["a", 1].current
    assert (play["a"].state, play["a"].attempt) == (TaskState.SUBMITTED, 2)
    assert (play["a"].failures, play["a"].losses, play["a"].incarnation) == (0, 1, None)


def test_another_owner_is_not_accused() -> None:
    """The incarnation that died is not the one that holds it."""
    play = started(a_task())
    play.running("a")

    with pytest.raises(RepeatedEvent, match="another incarnation"):
        play.notify("a", AttemptLost, incarnation="w1-0", reason="gone")


def test_the_tenth_lost_worker_is_a_failure() -> None:
    """Nine replacements, then reason `lost`, and no retry of that."""
    play = started(a_task(retries=5))
    for _ in range(10):
        play.running("a")
        play.notify("a", AttemptLost, incarnation="w1-1", reason="gone")

    assert play.state is WorkflowState.FAILURE
    assert (play["a"].attempt, play["a"].reason) == (10, "lost: gone")


# --- recall ----------------------------------------------------------------------------------


def test_recall_that_won_for_a_dispatch_timeout_repeats_the_dispatch() -> None:
    """Nobody runs it, nor ever will: the next dispatch goes out; the old one's reports are stale."""
    play = started(a_task())
    play.dispatched("a")
    late = play.event("a", TaskDelayed, seconds=1)
    play.notify("a", RecallWon)

    assert (play["a"].state, play["a"].dispatch, play["a"].dispatched_at) == (TaskState.SUBMITTED, 2, None)
    with pytest.raises(StaleEvent):
        play.deliver(late)


def test_recall_that_lost_notes_the_holder() -> None:
    """From now on its report decides, or its heartbeat; nobody asks twice."""
    play = started(a_task())
    play.dispatched("a")
    play.notify("a", RecallLost, worker="w2", incarnation="w2-1")

    assert (play["a"].state, play["a"].worker) == (TaskState.DISPATCHED, "w2")
    assert play.wants("a") is None
    with pytest.raises(RepeatedEvent, match="holder is known"):
        play.notify("a", RecallLost, worker="w2", incarnation="w2-1")
    with pytest.raises(StaleEvent):
        play.running("a")


# --- inputs ----------------------------------------------------------------------------------


def test_an_attempt_that_cannot_be_submitted_ends_the_branch() -> None:
    """I11: FAILURE in memory and rows, its joins do not run, the run ends; no retry would help."""
    # Seen to fail without `draft.end` in `handle_unsubmittable` (an `update` leaves the joins waiting).
    play = started(a_task("a", retries=3), a_task("b", "a"))
    play.notify("a", Unsubmittable, reason="parameter 'n': there is no 'rows'")

    assert play.states == {"a": "FAILURE"}
    assert play["a"].reason == "parameter 'n': there is no 'rows'"
    assert play.state is WorkflowState.FAILURE


def test_nothing_left_over_is_nothing_to_do() -> None:
    """A Continue that comes once too often changes nothing."""
    play = started()

    with pytest.raises(RepeatedEvent):
        play.go_on()
