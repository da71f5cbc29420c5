"""Pools: who stands in line, who has a slot, and that every way out of a task gives it back."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.core.command import CommandKind
from orchestrator.core.definition import OnFailure, Priority, TaskDefinition
from orchestrator.core.event import (
    CHILD_DIED,
    RejectReason,
    TaskDelayed,
    TaskDispatched,
    TaskResult,
    WorkerReject,
)
from orchestrator.core.notice import (
    AttemptDue,
    AttemptLost,
    QueueTimeout,
    RecallWon,
    Served,
    Unserved,
    Unsubmittable,
    Withdrawn,
)
from orchestrator.core.pool import PoolPlace
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.core.transition import Transition
from orchestrator.core.wants import Dispatch, Withdraw
from orchestrator.errors import RepeatedEvent
from tests.builders import a_task
from tests.unit.core.play import Play, a_play, started

T = TaskState


def pooled(name: str = "a", *needs: str, **fields: Any) -> TaskDefinition:
    """A task that needs a slot."""
    return a_task(name, *needs, **{"pool": "few", **fields})


def grant(play: Play, task: str = "a", attempt: int | None = None) -> None:
    """Let the present attempt of a task, or another one, have its slot."""
    mine = play.instance.attempts.get(task)
    line_up = mine.line_ups if mine is not None else 1
    play.command(CommandKind.GRANTED, task=task, attempt=attempt or play[task].attempt, line_up=line_up)


def mail_of(place: PoolPlace) -> dict[str, Any]:
    """Return what the grant of a slot says that was given to this place."""
    return {"task": place.task, "attempt": place.attempt, "line_up": place.line_up}


def with_slot(play: Play) -> Play:
    """Let the first task have its slot and begin."""
    grant(play)
    play.dispatched("a")
    play.running("a")
    return play


def moves(play: Play) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """Return who left the pool in the last step, and who came into its line."""
    return (
        [(one.task, one.attempt) for one in play.last.released],
        [(one.task, one.attempt) for one in play.last.lined_up],
    )


def test_pooled_task_stays_submitted_until_its_slot_is_granted() -> None:
    """Nothing is dispatched before; the reason says what it waits for."""
    play = started(pooled())
    assert (play["a"].state, play["a"].reason, play.wants("a")) == (T.SUBMITTED, "pool", None)
    assert moves(play) == ([], [("a", 1)])

    grant(play)

    assert (play["a"].state, play["a"].reason) == (T.SUBMITTED, None)
    assert isinstance(play.wants("a"), Dispatch)
    assert moves(play) == ([], [])


def test_place_in_line_is_priority_of_workflow_and_task_then_age() -> None:
    """What the database sorts by is worked out once, when the attempt comes into the line."""
    play = a_play(pooled(priority=Priority.HIGH))
    play.instance.apply(Transition(head=replace(play.head, priority=Priority.LOW)))
    play.start()

    (place,) = play.last.lined_up

    assert (place.pool, place.workflow_rank, place.task_rank) == (
        "few",
        Priority.LOW.rank,
        Priority.HIGH.rank,
    )
    assert (place.since, place.sequence, place.key) == (play["a"].submitted_at, 1, play["a"].key)


def test_task_without_a_pool_has_nothing_to_do_with_any() -> None:
    """It is dispatched at once."""
    play = started(a_task("a"))

    assert isinstance(play.wants("a"), Dispatch)
    assert moves(play) == ([], [])


def test_dry_run_needs_no_slot() -> None:
    """It executes nothing."""
    play = a_play(pooled(), pooled("b", "a"))
    play.instance.apply(Transition(head=replace(play.head, dry_run=True)))

    play.start()

    assert (play.state, moves(play)) == (WorkflowState.SUCCESS, ([], []))


@pytest.mark.parametrize("state", [T.SUCCESS, T.FAILURE, T.KILLED])
def test_end_of_the_task_gives_the_slot_back(state: TaskState) -> None:
    """In the step that ends it."""
    play = with_slot(started(pooled()))

    play.report("a", TaskResult, state=state)

    assert moves(play) == ([("a", 1)], [])


def test_retry_stands_in_line_again() -> None:
    """With a place of its own; the failed attempt has given its slot back."""
    play = with_slot(started(pooled(retries=1)))

    play.fail("a")

    assert moves(play) == ([("a", 1)], [("a", 2)])
    assert (play["a"].state, play["a"].reason) == (T.SUBMITTED, "pool")


def test_retry_that_waits_comes_into_the_line_when_it_is_due() -> None:
    """Its wait holds nobody up."""
    play = with_slot(started(pooled(retries=1, retry_delay_s=5.0)))
    play.fail("a")
    assert moves(play) == ([("a", 1)], [])
    play.wait(60)

    play.notify("a", AttemptDue)

    assert moves(play) == ([], [("a", 2)])
    assert play["a"].reason == "pool"


def test_lost_attempt_gives_back_and_its_replacement_stands_in_line() -> None:
    """Also when its own process died."""
    play = with_slot(started(pooled()))
    play.fail("a", error=CHILD_DIED)
    assert moves(play) == ([("a", 1)], [("a", 2)])
    grant(play)
    play.dispatched("a")
    play.running("a")

    play.notify("a", AttemptLost, incarnation=play["a"].incarnation, reason="silent")

    assert moves(play) == ([("a", 2)], [("a", 3)])


def test_deferral_gives_the_slot_back_and_keeps_the_age() -> None:
    """The same attempt comes into the line again, in the place that its age gives it."""
    play = with_slot(started(pooled()))
    since = play["a"].submitted_at
    play.report("a", TaskDelayed, seconds=5.0)
    assert moves(play) == ([("a", 1)], [])
    play.wait(5)

    play.notify("a", AttemptDue)

    assert [(one.key[2], one.since) for one in play.last.lined_up] == [(1, since)]
    assert play.wants("a") is None


def test_delay_comes_before_the_line() -> None:
    """Who waits for a time does not wait for a slot."""
    play = started(pooled(delay_s=5.0))
    assert moves(play) == ([], [])
    play.wait(5)

    play.notify("a", AttemptDue)

    assert moves(play) == ([], [("a", 1)])


@pytest.mark.parametrize("reason", [RejectReason.DRAINING, RejectReason.OVERLOAD])
def test_reject_and_recall_keep_the_slot(reason: RejectReason) -> None:
    """The attempt is to run all the same."""
    play = started(pooled())
    grant(play)
    play.dispatched("a")
    play.report("a", WorkerReject, reason=reason)
    assert moves(play) == ([], [])
    play.wait(60)
    play.notify("a", AttemptDue)
    play.dispatched("a")

    play.notify("a", RecallWon)

    assert moves(play) == ([], [])
    assert isinstance(play.wants("a"), Dispatch)


def test_paused_run_lets_waiting_attempts_leave_the_line_and_come_back() -> None:
    """Nobody but the master has them, so that no recall is needed."""
    play = started(pooled())
    play.command(CommandKind.PAUSE)
    assert isinstance(play.wants("a"), Withdraw)
    play.notify("a", Withdrawn)
    assert (play["a"].state, play["a"].reason, moves(play)) == (T.PAUSED, None, ([("a", 1)], []))
    assert play.state is WorkflowState.PAUSED

    play.command(CommandKind.RESUME)

    assert (play["a"].reason, moves(play)) == ("pool", ([], [("a", 1)]))


def test_attempt_that_is_recalled_by_a_pause_gives_its_slot_back() -> None:
    """A paused attempt holds nothing."""
    play = started(pooled())
    grant(play)
    play.dispatched("a")
    play.command(CommandKind.PAUSE)

    play.notify("a", RecallWon)

    assert (play["a"].state, moves(play)) == (T.PAUSED, ([("a", 1)], []))


def test_grant_that_meets_a_pause_is_taken_all_the_same() -> None:
    """If the run is resumed before the attempt was withdrawn, nobody would tell it a second time."""
    play = started(pooled())
    play.command(CommandKind.PAUSE)
    grant(play)
    play.command(CommandKind.RESUME)

    assert isinstance(play.wants("a"), Dispatch)


@pytest.mark.parametrize("granted", [False, True])
def test_stopped_run_leaves_the_pool(granted: bool) -> None:  # noqa: FBT001  a case
    """Whether it waited or had a slot."""
    play = started(pooled())
    if granted:
        grant(play)
    play.command(CommandKind.STOP)

    play.notify("a", RecallWon if granted else Withdrawn)

    assert (play.state, moves(play)) == (WorkflowState.STOPPED, ([("a", 1)], []))


def test_failure_that_ends_the_run_takes_waiting_attempts_out_of_the_line() -> None:
    """Under `on_failure: end` nothing new starts."""
    play = started(pooled(), a_task("b"), on_failure=OnFailure.END)
    play.fail("b")
    assert isinstance(play.wants("a"), Withdraw)

    play.notify("a", Withdrawn)

    assert (play["a"].state, moves(play)) == (T.KILLED, ([("a", 1)], []))


def test_recovered_task_stands_in_line_again() -> None:
    """As a new attempt."""
    play = with_slot(started(pooled()))
    play.fail("a")

    play.command(CommandKind.RECOVER)

    assert moves(play) == ([], [("a", 2)])


def test_task_that_cannot_be_submitted_gives_its_slot_back() -> None:
    """Its inputs are resolved when it is to be dispatched: behind the grant."""
    play = started(pooled())
    grant(play)

    play.notify("a", Unsubmittable, reason="no")

    assert moves(play) == ([("a", 1)], [])


def test_queue_timeout_of_one_in_line_needs_no_recall() -> None:
    """It fails at once, and may be tried again."""
    play = started(pooled(queue_timeout_s=30.0, retries=1))
    play.wait(30)

    play.notify("a", QueueTimeout)

    assert moves(play) == ([("a", 1)], [("a", 2)])
    assert play.rows["a", 1].reason == "queue timeout"


def test_queue_timeout_of_one_with_a_slot_is_a_recall() -> None:
    """As of any attempt that a worker may have; then the slot is given back."""
    play = started(pooled(queue_timeout_s=30.0))
    grant(play)
    play.dispatched("a")
    play.wait(30)
    play.notify("a", QueueTimeout)
    assert moves(play) == ([], [])

    play.notify("a", RecallWon)

    assert (play["a"].state, moves(play)) == (T.FAILURE, ([("a", 1)], []))


def test_grant_of_an_attempt_that_is_over_changes_nothing() -> None:
    """Twice the same one, one of an earlier attempt, one of a task that has none."""
    play = started(pooled(retries=1), pooled("b", "a"))
    grant(play)
    with pytest.raises(RepeatedEvent):
        grant(play)
    play.dispatched("a")
    play.fail("a")

    for task, attempt in (("a", 1), ("b", 1), ("nobody", 1)):
        with pytest.raises(RepeatedEvent):
            grant(play, task, attempt)


def test_report_that_a_grant_never_allowed_still_counts() -> None:
    """A database that lost its last commits forgot the grant: what runs, runs, and its place stays its claim."""
    play = started(pooled())
    play.report("a", TaskDispatched, worker="", incarnation="")
    assert (play["a"].state, play["a"].reason, moves(play)) == (T.DISPATCHED, None, ([], []))
    play.running("a")

    play.succeed("a")

    assert moves(play) == ([("a", 1)], [])


def test_whole_run_with_one_slot_leaves_nothing_behind() -> None:
    """Every attempt that came into the pool has left it."""
    play = started(pooled(), pooled("b"), pooled("c", "a", "b"))

    for task in ("a", "b", "c"):
        grant(play, task)
        play.dispatched(task)
        play.running(task)
        play.succeed(task)

    assert play.state is WorkflowState.SUCCESS
    assert play.in_pools == set()


# --- worker groups that nobody serves ----------------------------------------------------------


def test_who_cannot_run_leaves_the_line_and_comes_back_by_its_age() -> None:
    """It waits for a worker meanwhile, and wants nothing of anybody."""
    play = started(pooled())
    submitted_at = play["a"].submitted_at

    play.notify("a", Unserved)
    assert moves(play) == ([("a", 1)], [])
    assert (play["a"].state, play["a"].reason, play.wants("a")) == (T.SUBMITTED, "no worker", None)
    play.wait(3600)
    play.notify("a", Served)

    assert moves(play) == ([], [("a", 1)])
    assert (play["a"].reason, play.last.lined_up[0].since) == ("pool", submitted_at)


def test_slot_is_given_up_when_the_recall_is_won() -> None:
    """Until then a worker may have begun; nobody starts that hand-over any more."""
    play = started(pooled())
    grant(play)
    play.dispatched("a")

    play.notify("a", RecallWon, unserved=True)

    assert moves(play) == ([("a", 1)], [])
    assert (play["a"].state, play["a"].reason, play["a"].dispatch) == (T.SUBMITTED, "no worker", 2)


def test_recall_for_another_reason_keeps_the_slot() -> None:
    """A hand-over that was not begun in time is made again."""
    play = started(pooled())
    grant(play)
    play.dispatched("a")

    play.notify("a", RecallWon)

    assert (play["a"].reason, moves(play)) == (None, ([], []))


def test_news_of_workers_is_void_where_it_does_not_fit() -> None:
    """Who has a slot is asked for it by a recall; who gives way already does; a grant that comes late is void."""
    play = started(pooled())
    with pytest.raises(RepeatedEvent):
        play.notify("a", Served)
    play.notify("a", Unserved)
    with pytest.raises(RepeatedEvent):
        play.notify("a", Unserved)
    with pytest.raises(RepeatedEvent):
        grant(play)
    play.notify("a", Served)
    grant(play)

    with pytest.raises(RepeatedEvent):
        play.notify("a", Unserved)


def leave_by_giving_way(play: Play) -> None:
    """Leave the line because nobody serves the worker group, and come back."""
    play.notify("a", Unserved)
    play.notify("a", Served)


def leave_by_pause(play: Play) -> None:
    """Leave the line because the run is paused, and come back."""
    play.command(CommandKind.PAUSE)
    play.notify("a", Withdrawn)
    play.command(CommandKind.RESUME)


@pytest.mark.parametrize("leave", [leave_by_giving_way, leave_by_pause])
def test_grant_of_an_earlier_time_in_line_is_void(leave: Callable[[Play], None]) -> None:
    """Its slot was given back when the attempt left the line; the grant may have been on its way."""
    play = started(pooled())
    (first,) = play.last.lined_up
    leave(play)
    (second,) = play.last.lined_up

    with pytest.raises(RepeatedEvent, match="left the line since"):
        play.command(CommandKind.GRANTED, **mail_of(first))

    assert (play["a"].reason, play.wants("a")) == ("pool", None)
    assert (first.since, first.sequence) == (second.since, second.sequence)
    play.command(CommandKind.GRANTED, **mail_of(second))
    assert isinstance(play.wants("a"), Dispatch)


def test_grant_from_before_the_times_were_counted_counts_for_who_never_left() -> None:
    """A database of the version before: rows say 0, mail says nothing; who leaves since then is counted."""
    play = started(pooled())
    play.instance.apply(Transition(current=(("a", replace(play["a"], line_ups=0)),)))
    play.rows["a", 1] = play["a"]
    other = started(pooled())
    leave_by_giving_way(other)

    play.command(CommandKind.GRANTED, task="a", attempt=1)
    with pytest.raises(RepeatedEvent):
        other.command(CommandKind.GRANTED, task="a", attempt=1)

    assert isinstance(play.wants("a"), Dispatch)


@pytest.mark.parametrize("kind", [CommandKind.STOP, CommandKind.PAUSE])
def test_who_gives_way_is_withdrawn_without_a_recall(kind: CommandKind) -> None:
    """Nobody but the master has it, and it stands in no line that it would leave."""
    play = started(pooled())
    play.notify("a", Unserved)

    play.command(kind)
    assert isinstance(play.wants("a"), Withdraw)
    play.notify("a", Withdrawn)

    state, reason = (T.KILLED, "stopped") if kind is CommandKind.STOP else (T.PAUSED, None)
    assert (play["a"].state, play["a"].reason, moves(play)) == (state, reason, ([], []))


def test_resumed_attempt_that_gave_way_stands_in_line() -> None:
    """As any that is paused; the next look finds out whether somebody serves its group."""
    play = started(pooled())
    play.notify("a", Unserved)
    play.command(CommandKind.PAUSE)
    play.notify("a", Withdrawn)

    play.command(CommandKind.RESUME)

    assert (play["a"].state, play["a"].reason, moves(play)) == (T.SUBMITTED, "pool", ([], [("a", 1)]))
