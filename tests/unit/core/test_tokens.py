"""Tokens before states: which report may speak for an attempt, for each of the five events."""

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.core.event import (
    RejectReason,
    TaskDelayed,
    TaskDispatched,
    TaskEvent,
    TaskResult,
    TaskRunning,
    WorkerReject,
)
from orchestrator.core.handlers.token import check_event
from orchestrator.core.notice import AttemptTimeout, Unsubmittable
from orchestrator.core.status import TASK_FINAL, TaskState
from orchestrator.errors import (
    AheadOfMemory,
    ForgedEvent,
    IllegalTransition,
    RepeatedEvent,
    StaleEvent,
    UnknownInstance,
)
from tests.builders import a_task, an_attempt, report_of
from tests.unit.core.play import Play, started

EVENTS: dict[type[TaskEvent], dict[str, Any]] = {
    TaskDispatched: {},
    TaskDelayed: {"seconds": 5.0},
    TaskRunning: {},
    TaskResult: {"state": TaskState.SUCCESS},
    WorkerReject: {"reason": RejectReason.DRAINING},
}
every_event = pytest.mark.parametrize("kind", EVENTS)


def event_about(play: Play, kind: type[TaskEvent], **fields: Any) -> Any:
    """Return an event about the present hand-over of `a`."""
    return play.event("a", kind, **{**EVENTS[kind], **fields})


@every_event
def test_event_of_an_older_attempt_is_stale_whatever_it_says(kind: type[TaskEvent]) -> None:
    """I5: a retry has taken over; even a report with the old ticket changes nothing."""
    # Seen to fail without `event.token < attempt.token` in `check_event`.
    play = started(a_task(retries=1))
    late = event_about(play, kind)
    play.fail("a")

    with pytest.raises(StaleEvent, match="behind"):
        play.deliver(late)


@every_event
def test_event_of_an_older_dispatch_is_stale(kind: type[TaskEvent]) -> None:
    """I5, I13: the hand-over ended without a result; its late reports change nothing."""
    play = started(a_task())
    late = event_about(play, kind)
    play.report("a", WorkerReject, reason=RejectReason.OVERLOAD)

    with pytest.raises(StaleEvent, match="behind"):
        play.deliver(late)


@every_event
def test_event_ahead_of_memory_asks_for_a_reload(kind: type[TaskEvent]) -> None:
    """R2: never stale, never illegal: the rows know more than memory does."""
    play = started(a_task())

    for ahead in ({"attempt": 2}, {"dispatch": 2}):
        with pytest.raises(AheadOfMemory):
            play.deliver(event_about(play, kind, **ahead))


@every_event
def test_event_of_a_task_without_attempt_asks_for_a_reload(kind: type[TaskEvent]) -> None:
    """The task exists; memory has not decided it yet."""
    play = started(a_task("a"), a_task("b", "a"))

    with pytest.raises(AheadOfMemory):
        play.deliver(event_about(play, kind, task="b"))


@every_event
def test_event_of_an_unknown_task_is_dropped(kind: type[TaskEvent]) -> None:
    """I7: the definition has no such task."""
    play = started(a_task())

    with pytest.raises(UnknownInstance, match="no task nowhere"):
        play.deliver(event_about(play, kind, task="nowhere"))


@every_event
def test_event_without_the_ticket_is_forged(kind: type[TaskEvent]) -> None:
    """Attempt and dispatch can be guessed, the ticket cannot."""
    play = started(a_task())

    with pytest.raises(ForgedEvent):
        play.deliver(event_about(play, kind, ticket="guessed"))


@every_event
def test_ticket_is_asked_for_before_the_state_is(kind: type[TaskEvent]) -> None:
    """A forged event about a finished attempt is buried, not taken for a repeat."""
    play = started(a_task("a"), a_task("b"))
    play.succeed("a")

    with pytest.raises(ForgedEvent):
        play.deliver(event_about(play, kind, ticket="guessed"))


@pytest.mark.parametrize("kind", [TaskDelayed, TaskRunning, TaskResult, WorkerReject])
def test_event_of_another_incarnation_is_stale(kind: type[TaskEvent]) -> None:
    """The first incarnation whose event was committed owns the dispatch."""
    # Seen to fail without the comparison of incarnations in `check_event`.
    play = started(a_task())
    play.running("a")

    with pytest.raises(StaleEvent, match="owned by w1"):
        play.deliver(event_about(play, kind, incarnation="w1-2"))


@pytest.mark.parametrize("kind", [TaskRunning, TaskResult, WorkerReject, TaskDispatched])
def test_owner_who_ended_the_attempt_only_repeats_itself(kind: type[TaskEvent]) -> None:
    """I4: behind its own RESULT every report of the owner, and the dispatcher's, is a harmless repeat."""
    # Seen to fail without `attempt.state in TASK_FINAL` in `check_event`.
    play = started(a_task("a"), a_task("b"))
    play.succeed("a")

    with pytest.raises(RepeatedEvent):
        play.deliver(event_about(play, kind))


def test_owner_of_an_attempt_that_the_master_ended_is_stale() -> None:
    """Its worker must hear that it is over, to end what still runs."""
    play = started(a_task("a", timeout_s=5), a_task("b"))
    play.running("a")
    play.wait(5)
    play.notify("a", AttemptTimeout)

    with pytest.raises(StaleEvent, match="by decision of the master"):
        play.succeed("a")


def test_report_of_an_attempt_that_was_never_handed_over_is_stale() -> None:
    """Unsubmittable is the master's decision, too."""
    play = started(a_task("a"), a_task("b"))
    play.notify("a", Unsubmittable, reason="no value")

    with pytest.raises(StaleEvent):
        play.running("a")


@pytest.mark.parametrize("state", sorted(TASK_FINAL - {TaskState.SKIPPED}))
@every_event
def test_a_finished_row_refuses_every_event(kind: type[TaskEvent], state: TaskState) -> None:
    """For a run that has left memory the one row decides, by the same rule."""
    row = an_attempt(state=state, worker="w1", incarnation="w1-1", reported=True)
    event = report_of(row, kind, **EVENTS[kind])

    with pytest.raises(RepeatedEvent):
        check_event(row, event)
    with pytest.raises(StaleEvent):
        check_event(replace(row, reported=False), event)


def test_a_live_row_accepts_its_owner_and_the_dispatcher() -> None:
    """The dispatcher has no incarnation: it owns nothing."""
    row = an_attempt(state=TaskState.RUNNING, worker="w1", incarnation="w1-1")

    check_event(row, report_of(row, TaskRunning))
    check_event(row, report_of(row, TaskDispatched, worker="", incarnation=""))


@pytest.mark.parametrize("kind", [TaskDelayed, TaskResult, TaskRunning])
def test_what_has_no_edge_is_illegal(kind: type[TaskEvent]) -> None:
    """A report that shows the ticket of a hand-over that never went out is a bug, and says so."""
    play = started(a_task(delay_s=60))

    with pytest.raises(IllegalTransition):
        play.deliver(event_about(play, kind))
