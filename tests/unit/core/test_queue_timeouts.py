"""Queue timeouts: who counts the time, when it does not count, and that nobody is failed who may have begun."""

from datetime import timedelta
from typing import Any

import pytest

from orchestrator.core.command import CommandKind
from orchestrator.core.definition import TaskDefinition
from orchestrator.core.event import RejectReason, TaskDelayed, TaskRunning, WorkerReject
from orchestrator.core.notice import AttemptDue, QueueTimeout, RecallLost, RecallWon
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.core.wants import Recall, queue_deadline
from orchestrator.errors import RepeatedEvent
from tests.builders import NOW, a_task
from tests.unit.core.play import Play, started

LIMIT_S = 30.0


def limited(**fields: Any) -> TaskDefinition:
    """A task that may wait for half a minute."""
    return a_task("a", queue_timeout_s=LIMIT_S, **fields)


def deadline_s(play: Play) -> float | None:
    """Return when the first task will have waited too long, in seconds of the play."""
    at = queue_deadline(play.head, play.instance.graph.tasks["a"], play["a"])
    return None if at is None else (at - NOW) / timedelta(seconds=1)


def too_late(play: Play) -> None:
    """Let the time be up."""
    play.wait(LIMIT_S)
    play.notify("a", QueueTimeout)


def test_it_counts_from_the_submission_through_the_broker_until_a_worker_has_begun() -> None:
    """Being in the broker is no start."""
    play = started(limited(timeout_s=100.0))
    assert deadline_s(play) == LIMIT_S
    play.wait(10)
    play.dispatched("a")
    assert deadline_s(play) == LIMIT_S

    play.running("a")

    assert deadline_s(play) is None
    assert play["a"].timeout_at == NOW + timedelta(seconds=110)


def test_delays_do_not_count() -> None:
    """The delay of the first attempt, the wait before a retry."""
    play = started(limited(delay_s=60.0, retries=1, retry_delay_s=20.0))
    assert deadline_s(play) is None
    play.wait(60)
    play.notify("a", AttemptDue)
    assert deadline_s(play) == 90
    play.running("a")
    play.fail("a")
    assert (play["a"].state, deadline_s(play)) == (TaskState.DELAYED, None)
    play.wait(20)

    play.notify("a", AttemptDue)

    assert deadline_s(play) == 80 + LIMIT_S


def test_what_workers_give_back_goes_on_counting() -> None:
    """They are busy, or draining: that is waiting."""
    play = started(limited())
    play.wait(20)
    play.report("a", WorkerReject, reason=RejectReason.OVERLOAD)

    assert deadline_s(play) == LIMIT_S
    too_late(play)
    assert play.wants("a") == Recall()


def test_what_has_begun_once_is_not_limited_again() -> None:
    """A deferral waits for itself."""
    play = started(limited())
    play.running("a")
    play.report("a", TaskDelayed, seconds=5.0)
    play.wait(5)
    play.notify("a", AttemptDue)

    assert (play["a"].state, deadline_s(play)) == (TaskState.SUBMITTED, None)


@pytest.mark.parametrize("claim_was_made", [False, True])
def test_claims_that_nobody_answered_do_not_begin_it_anew(*, claim_was_made: bool) -> None:
    """It counts from its first time in the queue, however often a worker took it and could not begin."""
    play = started(limited(timeout_s=100.0))
    for _ in range(2):
        play.wait(12)
        play.dispatched("a")
        if claim_was_made:
            play.running("a")
            assert deadline_s(play) is None
        play.report("a", TaskDelayed, seconds=0.0, began=False)
        play.notify("a", AttemptDue)
        assert deadline_s(play) == LIMIT_S

    play.wait(6)
    play.notify("a", QueueTimeout)
    assert play.wants("a") == Recall()


def test_after_a_pause_it_counts_anew_also_for_what_was_claimed_in_vain() -> None:
    """Who resumes it asks for it again."""
    play = started(limited())
    play.running("a")
    play.command(CommandKind.PAUSE)
    play.report("a", TaskDelayed, seconds=0.0, began=False)
    assert (play["a"].state, play["a"].queue_timeout_at) == (TaskState.PAUSED, None)
    play.wait(100)

    play.command(CommandKind.RESUME)
    play.notify("a", AttemptDue)

    assert deadline_s(play) == 100 + LIMIT_S


def test_paused_time_does_not_count() -> None:
    """After a resume it counts from the beginning."""
    play = started(limited())
    play.wait(20)
    play.command(CommandKind.PAUSE)
    assert deadline_s(play) is None
    play.notify("a", RecallWon)
    assert (play.state, play["a"].queue_timeout_at) == (WorkflowState.PAUSED, None)
    play.wait(100)

    play.command(CommandKind.RESUME)

    assert deadline_s(play) == 120 + LIMIT_S


def test_it_is_taken_back_first_and_fails_when_nobody_has_it() -> None:
    """The recall is in the row, so that the next master asks, too."""
    play = started(limited(), a_task("b", "a"))
    play.dispatched("a")
    with pytest.raises(RepeatedEvent):
        play.notify("a", QueueTimeout)

    too_late(play)
    assert (play["a"].state, play["a"].reason, play.wants("a")) == (
        TaskState.DISPATCHED,
        "queue timeout",
        Recall(),
    )
    with pytest.raises(RepeatedEvent):
        play.notify("a", QueueTimeout)
    play.notify("a", RecallWon)

    assert (play.state, play.states) == (WorkflowState.FAILURE, {"a": "FAILURE"})
    assert play["a"].reason == "queue timeout"


def test_what_a_worker_has_claimed_goes_on() -> None:
    """With no trace of the timeout."""
    play = started(limited())
    play.dispatched("a")
    too_late(play)
    play.notify("a", RecallLost, worker="w1", incarnation="w1-1")
    assert (play.wants("a"), deadline_s(play)) == (None, None)

    play.report("a", TaskRunning)
    assert play["a"].reason is None
    play.succeed("a")

    assert play.state is WorkflowState.SUCCESS


def test_retries_apply_each_with_its_own_clock() -> None:
    """And can be excluded."""
    again, final = started(limited(retries=1)), started(limited(retries=1, non_retryable=("QueueTimeout",)))
    for play in (again, final):
        too_late(play)
        play.notify("a", RecallWon)

    assert (again["a"].attempt, again["a"].state, deadline_s(again)) == (2, TaskState.SUBMITTED, 2 * LIMIT_S)
    assert final.state is WorkflowState.FAILURE


def test_a_pause_or_a_stop_comes_before_the_failure() -> None:
    """The recall was on its way."""
    paused, stopped = started(limited()), started(limited())
    for play, kind in ((paused, CommandKind.PAUSE), (stopped, CommandKind.STOP)):
        too_late(play)
        play.command(kind)
        play.notify("a", RecallWon)

    assert (paused.state, paused["a"].state, paused["a"].reason) == (
        WorkflowState.PAUSED,
        TaskState.PAUSED,
        None,
    )
    assert stopped.states == {"a": "KILLED"}


def test_a_warning_is_told_once_and_the_task_waits_on() -> None:
    """`on_queue_timeout: warn`."""
    play = started(limited(on_queue_timeout="warn"))

    too_late(play)

    assert [(alert.kind, alert.body["task"]) for alert in play.alerts] == [("queue_timeout", "a")]
    assert (play["a"].state, play["a"].reason, deadline_s(play)) == (TaskState.SUBMITTED, None, None)
    with pytest.raises(RepeatedEvent):
        play.notify("a", QueueTimeout)
