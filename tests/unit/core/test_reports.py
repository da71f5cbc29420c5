"""What each of the five events changes, and what a repeat of it means."""

from datetime import timedelta

import pytest

from orchestrator.core.command import CommandKind
from orchestrator.core.event import (
    CHILD_DIED,
    RejectReason,
    TaskDelayed,
    TaskDispatched,
    TaskResult,
    TaskRunning,
    WorkerReject,
)
from orchestrator.core.notice import AttemptDue
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.core.wants import Dispatch, Overdue, WakeAt
from orchestrator.errors import RepeatedEvent, StaleEvent
from tests.builders import NOW, a_definition, a_task
from tests.unit.core.play import Play, started

# --- DISPATCH --------------------------------------------------------------------------------


def test_dispatched_notes_when_the_broker_had_it() -> None:
    """SUBMITTED becomes DISPATCHED, and is overdue from then on."""
    play = started(a_task())
    assert play.wants("a") == Dispatch()

    play.wait(2)
    play.dispatched("a")

    assert play["a"].state is TaskState.DISPATCHED
    assert play["a"].dispatched_at == NOW + timedelta(seconds=2)
    assert play.wants("a") == Overdue(NOW + timedelta(seconds=2))


@pytest.mark.parametrize("reported", [TaskDispatched, TaskRunning])
def test_dispatched_never_sets_an_attempt_back(reported: type[TaskDispatched | TaskRunning]) -> None:
    """I4: a DISPATCH behind a DISPATCH or RUNNING changes nothing."""
    # Seen to fail without the refusal in `handle_dispatched`.
    play = started(a_task())
    play.report("a", reported)

    with pytest.raises(RepeatedEvent):
        play.dispatched("a")


# --- RUNNING ---------------------------------------------------------------------------------


def test_running_notes_owner_place_and_timeout() -> None:
    """From here on the worker is known, and the attempt's own clock runs."""
    play = started(a_task(timeout_s=30))
    play.dispatched("a")
    play.wait(1)
    play.report(
        "a", TaskRunning, host="h", pid=5, process_group=6, log_path="a.log", external_ids={"cluster": "7"}
    )

    a = play["a"]
    assert (a.state, a.worker, a.incarnation) == (TaskState.RUNNING, "w1", "w1-1")
    assert (a.host, a.pid, a.process_group, a.log_path) == ("h", 5, 6, "a.log")
    assert a.external_ids == {"cluster": "7"}
    assert (a.started_at, a.timeout_at) == (NOW + timedelta(seconds=1), NOW + timedelta(seconds=31))


def test_running_may_overtake_dispatched() -> None:
    """The worker is faster than the dispatcher's own note; the order's time stands in for it."""
    play = started(a_task())
    play.report("a", TaskRunning, dispatched_at=NOW)

    assert play["a"].state is TaskState.RUNNING
    assert play["a"].dispatched_at == NOW


def test_repeated_running_leaves_a_healthy_task_running() -> None:
    """I17: its verdict is `ok`, not `stale`: nobody kills it."""
    # Seen to fail without the refusal in `handle_running`.
    play = started(a_task())
    play.running("a")

    with pytest.raises(RepeatedEvent) as dropped:
        play.running("a")
    assert dropped.value.verdict == "ok"


# --- RESULT ----------------------------------------------------------------------------------


def test_success_keeps_outputs_and_starts_what_it_unblocked() -> None:
    """The result and its consequences are one transition."""
    play = started(a_task("a"), a_task("b", "a"))
    play.running("a")
    play.report("a", TaskResult, state=TaskState.SUCCESS, outputs={"rows": [1, {"n": 2}]}, exit_code=0)

    assert play.states == {"a": "SUCCESS", "b": "SUBMITTED"}
    assert (play["a"].outputs, play["a"].exit_code) == ({"rows": [1, {"n": 2}]}, 0)
    assert [row.task for row in play.last.updated] == ["a"]
    assert [row.task for row in play.last.inserted] == ["b"]


def test_result_may_overtake_everything() -> None:
    """RESULT on a SUBMITTED attempt: owner, start and end are known at once."""
    play = started(a_task(timeout_s=9))
    play.report("a", TaskResult, state=TaskState.SUCCESS, host="h", pid=3)

    assert play.state is WorkflowState.SUCCESS
    assert (play["a"].worker, play["a"].host, play["a"].pid) == ("w1", "h", 3)
    assert play["a"].started_at == play["a"].ended_at == NOW


def test_result_that_knows_less_leaves_what_running_said() -> None:
    """A re-sent RESULT of a next start of the worker may have no pid any more."""
    play = started(a_task())
    play.report("a", TaskRunning, host="h", pid=5, log_path="a.log")
    play.succeed("a")

    assert (play["a"].host, play["a"].pid, play["a"].log_path) == ("h", 5, "a.log")


def test_a_join_starts_exactly_once() -> None:
    """I10, I20: two upstreams, one attempt of the join."""
    # Seen to fail without `self.attempt(task) is not None` in `Draft._consider`.
    play = started(a_task("a"), a_task("b"), a_task("c", "a", "b"))
    play.succeed("a")
    assert "c" not in play.states

    play.succeed("b")

    assert [row.task for row in play.last.inserted] == ["c"]
    assert play["c"].sequence == 3


def test_failure_without_retries_ends_the_branch_only() -> None:
    """`continue`: not-run is passed on without rows; the other branch goes on to its end."""
    play = started(a_task("a"), a_task("b", "a"), a_task("c", "b"), a_task("d"))
    play.fail("a", reason="exit code 3", exit_code=3)
    assert play.state is WorkflowState.RUNNING

    play.succeed("d")

    assert play.states == {"a": "FAILURE", "d": "SUCCESS"}
    assert (play.state, play.head.reason) == (WorkflowState.FAILURE, "failed: a")
    assert [(alert.kind, alert.key) for alert in play.alerts] == [
        ("workflow_failure", "workflow_failure:17:1:")
    ]


def test_killed_counts_as_failed_and_is_not_retried() -> None:
    """Somebody killed it on its worker: that is no failure to try again."""
    play = started(a_task("a", retries=5), a_task("b", "a", trigger="one_failed"))
    play.report("a", TaskResult, state=TaskState.KILLED)

    assert play.states == {"a": "KILLED", "b": "SUBMITTED"}


def test_a_run_that_failed_names_three_tasks_and_counts_the_rest() -> None:
    """The reason stays one line however many tasks failed."""
    names = [f"t{number}" for number in range(5)]
    play = started(*map(a_task, names))
    play.fail(*names)

    assert play.head.reason is not None
    assert play.head.reason.startswith("failed: ")
    assert play.head.reason.endswith(" and 2 more")


# --- retries ---------------------------------------------------------------------------------


def test_failure_with_retries_left_waits_and_is_a_new_attempt() -> None:
    """`retry_delay · backoff^n`; the old row is closed and no longer current."""
    # Seen to fail without `failures + 1` in `fail`.
    play = started(a_task(retries=2, retry_delay_s=10, retry_backoff=2))
    play.fail("a", reason="boom", exit_code=1)

    old = play.rows["a", 1]
    assert (old.state, old.current, old.reason, old.exit_code) == (TaskState.FAILURE, False, "boom", 1)
    assert (play["a"].attempt, play["a"].failures, play["a"].dispatch) == (2, 1, 1)
    assert play["a"].ticket != old.ticket
    assert play.wants("a") == WakeAt(NOW + timedelta(seconds=10))

    play.wait(10)
    play.notify("a", AttemptDue)
    play.fail("a")

    assert play.wants("a") == WakeAt(NOW + timedelta(seconds=30))


def test_retries_end_with_the_last_failure() -> None:
    """Two retries are three attempts; only the last one fails the run."""
    play = started(a_task("a", retries=2), a_task("b", "a"))
    for _ in range(3):
        assert play.state is WorkflowState.RUNNING
        play.fail("a")

    assert play.state is WorkflowState.FAILURE
    assert [row.state.value for row in play.rows.values()] == ["FAILURE"] * 3
    assert play["a"].attempt == 3


def test_retry_without_delay_is_submitted_at_once() -> None:
    """No timer where there is nothing to wait for."""
    play = started(a_task(retries=1))
    play.fail("a")

    assert play["a"].state is TaskState.SUBMITTED
    assert play.wants("a") == Dispatch()


def test_jitter_is_part_of_the_wait() -> None:
    """Chance is an argument: the largest adds a tenth."""
    play = Play(a_definition(a_task(retries=1, retry_delay_s=100)), jitter=0.5).start()
    play.fail("a")

    assert play.wants("a") == WakeAt(NOW + timedelta(seconds=105))


@pytest.mark.parametrize("error", ["3", "ValueError", "pkg.ValueError"])
def test_non_retryable_error_is_final(error: str) -> None:
    """Retries are left, and not used."""
    play = started(a_task(retries=5, non_retryable=("3", "ValueError")))
    play.fail("a", error=error)

    assert play.state is WorkflowState.FAILURE
    assert play["a"].attempt == 1


# --- death of the attempt's own process ------------------------------------------------------


def test_a_dead_child_is_a_loss_and_uses_up_no_retry() -> None:
    """PROTOCOL 2: reported by its parent at once; the replacement is dispatched at once."""
    play = started(a_task(retries=1))
    play.fail("a", error=CHILD_DIED, reason="SIGSEGV")

    assert (play.rows["a", 1].state, play.rows["a", 1].reason) == (TaskState.LOST, "SIGSEGV")
    assert (play["a"].attempt, play["a"].failures, play["a"].deaths) == (2, 0, 1)
    assert play["a"].state is TaskState.SUBMITTED


def test_the_third_death_in_a_row_is_a_failure_without_retry() -> None:
    """A task that kills its process each time must not go on for ever."""
    play = started(a_task(retries=5))
    for _ in range(3):
        play.fail("a", error=CHILD_DIED, reason="SIGKILL")

    assert play.state is WorkflowState.FAILURE
    assert play["a"].reason == "lost: SIGKILL"
    assert [row.state.value for row in play.rows.values()] == ["LOST", "LOST", "FAILURE"]


def test_an_ordinary_failure_ends_the_row_of_deaths() -> None:
    """Three *in a row*: a failure in between starts the count again."""
    play = started(a_task(retries=1))
    for error in (CHILD_DIED, CHILD_DIED, "ValueError", CHILD_DIED, CHILD_DIED):
        play.fail("a", error=error)

    assert play.state is WorkflowState.RUNNING
    assert play["a"].deaths == 2


# --- DELAY -----------------------------------------------------------------------------------


def test_deferral_ends_the_hand_over_and_keeps_the_attempt() -> None:
    """The same attempt, the next dispatch, a new ticket, nobody's: it may go to any worker."""
    play = started(a_task(retries=1))
    play.running("a")
    before = play["a"]
    play.report("a", TaskDelayed, seconds=60)

    a = play["a"]
    assert (a.attempt, a.dispatch, a.state, a.incarnation) == (1, 2, TaskState.DELAYED, None)
    assert a.ticket != before.ticket
    assert play.wants("a") == WakeAt(NOW + timedelta(seconds=60))
    assert play.last.inserted == ()


def test_deferral_notes_what_the_next_hand_over_shall_find() -> None:
    """What a deferral says stays with the attempt until another one says something else."""
    play = started(a_task())
    for said in ({"celery": "{}"}, {}):
        play.running("a")
        play.report("a", TaskDelayed, seconds=1, external_ids=said)
        play.wait(1)
        play.notify("a", AttemptDue)

    assert play["a"].external_ids == {"celery": "{}"}


def test_timeout_counts_from_the_first_running_through_deferrals() -> None:
    """A sensor that defers for ever still ends by its timeout."""
    play = started(a_task(timeout_s=100))
    play.running("a")
    play.report("a", TaskDelayed, seconds=60)
    play.wait(60)
    play.notify("a", AttemptDue)
    play.running("a")

    assert (play["a"].started_at, play["a"].timeout_at) == (NOW, NOW + timedelta(seconds=100))


def test_timeout_counts_even_when_the_deferral_overtook_running() -> None:
    """The first thing heard of an attempt starts its clock, whatever it is."""
    play = started(a_task(timeout_s=100))
    play.report("a", TaskDelayed, seconds=60)

    assert play["a"].timeout_at == NOW + timedelta(seconds=100)


def test_nothing_counts_of_a_hand_over_that_was_not_begun() -> None:
    """Nobody answered the claim, which may have left a RUNNING: the timeout counts from when it really begins."""
    for claim_was_made in (False, True):
        play = started(a_task(timeout_s=100))
        play.dispatched("a")
        if claim_was_made:
            play.running("a")
        play.wait(90)
        play.report("a", TaskDelayed, seconds=0, began=False)
        assert (play["a"].started_at, play["a"].timeout_at) == (None, None)

        play.notify("a", AttemptDue)
        play.dispatched("a")
        play.running("a")
        assert play["a"].timeout_at == NOW + timedelta(seconds=190)


def test_what_an_earlier_hand_over_began_counts_on() -> None:
    """A sensor whose later hand-over was not begun still ends by its timeout."""
    play = started(a_task(timeout_s=100))
    play.running("a")
    play.report("a", TaskDelayed, seconds=60)
    play.wait(60)
    play.notify("a", AttemptDue)
    play.dispatched("a")
    play.report("a", TaskDelayed, seconds=0, began=False)

    assert (play["a"].started_at, play["a"].timeout_at) == (NOW, NOW + timedelta(seconds=100))


def test_no_clock_tells_which_hand_over_began() -> None:
    """Deferred for no time at all, by a clock that stands: the next hand-over takes nothing of it back."""
    play = started(a_task(timeout_s=100))
    play.running("a")
    play.report("a", TaskDelayed, seconds=0)
    play.notify("a", AttemptDue)
    play.dispatched("a")
    play.report("a", TaskDelayed, seconds=0, began=False)

    assert (play["a"].started_at, play["a"].begun) == (NOW, 1)


def test_deferral_into_the_past_is_due_now() -> None:
    """A negative number is not a time machine."""
    play = started(a_task())
    play.report("a", TaskDelayed, seconds=-5)

    assert play["a"].due_at == NOW


def test_deferral_of_a_pausing_run_is_held() -> None:
    """Nothing new starts: it is PAUSED with its time, and the run is."""
    play = started(a_task())
    play.running("a")
    play.command(CommandKind.PAUSE)
    play.report("a", TaskDelayed, seconds=60)

    assert (play["a"].state, play["a"].due_at) == (TaskState.PAUSED, NOW + timedelta(seconds=60))
    assert play.state is WorkflowState.PAUSED


@pytest.mark.parametrize("kind", [TaskRunning, TaskResult])
def test_a_report_that_overtakes_dispatch_says_when_it_was_ordered(
    kind: type[TaskRunning | TaskResult],
) -> None:
    """PROTOCOL 1: the time is the master's own, come back with the report; DISPATCH itself comes too late."""
    play = started(a_task())
    ordered = NOW - timedelta(seconds=3)
    fields = {"state": TaskState.SUCCESS} if kind is TaskResult else {}
    play.report("a", kind, dispatched_at=ordered, **fields)

    assert play["a"].dispatched_at == ordered


# --- WORKER_REJECT ---------------------------------------------------------------------------


def test_reject_is_one_new_dispatch_after_a_growing_wait() -> None:
    """I13: the attempt stays, its hand-over is over, and the rejecting workers are remembered."""
    play = started(a_task())
    waits = []
    for dispatch in range(2, 10):
        play.dispatched("a")
        play.report("a", WorkerReject, reason=RejectReason.OVERLOAD)
        a = play["a"]
        assert (a.state, a.attempt, a.dispatch) == (TaskState.SUBMITTED, 1, dispatch)
        assert a.due_at is not None
        waits.append((a.due_at - NOW).total_seconds())

    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert play["a"].rejected_by == ("w1 overload",) * 8
    assert play["a"].reason == "rejected: overload"


def test_rejects_have_no_limit_but_the_row_has() -> None:
    """A thousand rejects of a draining worker are twenty lines; one who said once what he does not know stays."""
    play = started(a_task())
    play.report("a", WorkerReject, worker="w2", reason=RejectReason.UNKNOWN_TYPE)
    for _ in range(1_000):
        play.report("a", WorkerReject, reason=RejectReason.DRAINING)

    assert play["a"].rejected_by == ("w2 unknown_type", *["w1 draining"] * 19)
    assert play["a"].dispatch == 1_002


def test_every_living_worker_is_remembered_however_many_there_are() -> None:
    """Else a big group that does not know the callable would never be found out."""
    crowd = frozenset(f"w{number}" for number in range(100))
    play = Play(a_definition(), strict=False, live_workers=lambda _group: crowd).start()
    for worker in sorted(crowd):
        play.report("a", WorkerReject, worker=worker, reason=RejectReason.OVERLOAD)
    for worker in sorted(crowd):
        play.report("a", WorkerReject, worker=worker, reason=RejectReason.UNKNOWN_TYPE, detail="no type x")

    assert play["a"].state is TaskState.FAILURE


def test_rejected_attempt_is_let_go_when_its_wait_is_over() -> None:
    """It stays SUBMITTED; only its time is taken away."""
    play = started(a_task())
    play.report("a", WorkerReject, reason=RejectReason.DRAINING)
    assert play.wants("a") == WakeAt(NOW + timedelta(seconds=0.5))

    play.wait(0.5)
    play.notify("a", AttemptDue)

    assert play["a"].state is TaskState.SUBMITTED
    assert play.wants("a") == Dispatch()


def test_reject_after_running_changes_nothing() -> None:
    """It runs there: the reject is an echo."""
    play = started(a_task())
    play.running("a")

    with pytest.raises(RepeatedEvent):
        play.report("a", WorkerReject, reason=RejectReason.DRAINING)


def test_second_copy_of_a_reject_is_stale() -> None:
    """I3: one new dispatch, not two."""
    # Seen to fail without `dispatch + 1` in `next_dispatch`.
    play = started(a_task())
    reject = play.event("a", WorkerReject, reason=RejectReason.DRAINING)
    play.deliver(reject)

    with pytest.raises(StaleEvent):
        play.deliver(reject)


def test_what_every_live_worker_does_not_know_is_a_failure_with_the_import_error() -> None:
    """DESIGN 8 (15): the last of the group says so."""
    play = Play(a_definition(a_task(retries=9)), live_workers=lambda _group: frozenset({"w1", "w2"})).start()
    play.report("a", WorkerReject, reason=RejectReason.UNKNOWN_CALLABLE, detail="no module x")
    assert play["a"].state is TaskState.SUBMITTED

    play.report("a", WorkerReject, worker="w2", reason=RejectReason.UNKNOWN_TYPE, detail="no type x")

    assert (play["a"].state, play["a"].reason) == (TaskState.FAILURE, "no type x")
    assert play.state is WorkflowState.FAILURE


def test_a_worker_that_only_has_no_room_may_still_know_it() -> None:
    """Overload and draining say nothing about knowing: such rejects have no limit."""
    play = Play(a_definition(), live_workers=lambda _group: frozenset({"w1", "w2"})).start()
    play.report("a", WorkerReject, reason=RejectReason.UNKNOWN_TYPE)
    play.report("a", WorkerReject, worker="w2", reason=RejectReason.OVERLOAD)
    play.report("a", WorkerReject, worker="w1", reason=RejectReason.UNKNOWN_TYPE)

    assert play["a"].state is TaskState.SUBMITTED


def test_without_news_of_live_workers_nothing_is_concluded() -> None:
    """A master that has just started has seen nobody yet: that is not `everybody rejected`."""
    play = Play(a_definition(), live_workers=lambda _group: frozenset()).start()
    play.report("a", WorkerReject, reason=RejectReason.UNKNOWN_TYPE)

    assert play["a"].state is TaskState.SUBMITTED


def test_the_group_asked_about_is_the_tasks_own_or_the_runs() -> None:
    """A worker of another group is nobody to ask."""
    asked: list[str] = []

    def living(group: str) -> frozenset[str]:
        asked.append(group)
        return frozenset({"w1"})

    play = Play(a_definition(a_task("a", worker_group="gpu"), a_task("b")), live_workers=living).start()
    play.report("a", WorkerReject, reason=RejectReason.UNKNOWN_TYPE)
    play.report("b", WorkerReject, reason=RejectReason.UNKNOWN_TYPE)

    assert asked == ["gpu", "default"]
