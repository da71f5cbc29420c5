"""Why a run as a whole does not go on: one test per cause, from facts that were made by hand."""

import re
from pathlib import Path

import pytest

from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.service.explaining.causes import Cause, Kind, by_weight, named
from orchestrator.service.explaining.deciding import causes_of_run
from orchestrator.service.explaining.facts import ParkedLane
from orchestrator.store.evidence import Asked, BackfillPlace, TurnPlace
from tests.builders import a_task, an_attempt
from tests.unit.service.explained import (
    ago,
    ended,
    first,
    running,
    said,
    some_facts,
    submitted_facts,
    without_redis,
)

START = Asked(kind="START", at=ago(5))


def test_redis_that_is_away_comes_first() -> None:
    """Nothing is dispatched or reported without it; what the rows say follows."""
    causes = causes_of_run(without_redis(some_facts(attempts=[running()])))

    assert [cause.kind for cause in causes] == [Kind.REDIS_AWAY, Kind.RUNNING]
    assert "connection refused" in causes[0].detail
    assert "ORCHESTRATOR_REDIS_URL" in causes[0].remedy
    assert "unknown without Redis" in causes[1].detail


def test_run_without_any_master_says_since_when_and_what_to_start() -> None:
    """The last sign of any master is the time since when."""
    cause = first(some_facts(evidence={"coordinator": None, "others": (), "last_master_at": ago(90)}))

    assert (cause.kind, cause.since, cause.remedy) == (Kind.NO_MASTER, ago(90), "orchestrator master")


def test_slot_between_two_masters_is_being_taken_over() -> None:
    """Another master lives: nobody has to do anything."""
    cause = first(some_facts(evidence={"coordinator": None, "others": ("m2",)}))

    assert (cause.kind, cause.remedy) == (Kind.TAKEOVER, "")
    assert "m2 takes it over" in cause.detail


@pytest.mark.parametrize("state", [WorkflowState.PAUSED, WorkflowState.SUCCESS])
def test_run_that_rests_needs_no_master(state: WorkflowState) -> None:
    """Nobody misses a master who asks about a run that has ended, or is paused."""
    facts = some_facts(
        attempts=[ended("a", TaskState.SUCCESS)],
        head={"state": state, "paused_at": ago(3), "ended_at": ago(3)},
        evidence={"coordinator": None, "others": ()},
    )

    assert Kind.NO_MASTER not in {cause.kind for cause in causes_of_run(facts)}


def test_command_to_a_run_that_rests_needs_a_master() -> None:
    """A RESUME that nobody takes is why it stays paused."""
    facts = some_facts(
        head={"state": WorkflowState.PAUSED},
        evidence={"coordinator": None, "others": (), "commands": (Asked(kind="RESUME", at=ago(4)),)},
    )

    assert [cause.kind for cause in causes_of_run(facts)][:3] == [
        Kind.NO_MASTER,
        Kind.PAUSED,
        Kind.COMMAND_WAITS,
    ]


def test_parked_run_shows_its_error_since_when_and_how_to_try_again() -> None:
    """R7: what failed, how often, and the two ways out."""
    parked = ParkedLane(error="RuntimeError: a bug", since=ago(40), tries=3)

    cause = first(some_facts(fleet={"parked": parked}))

    assert (cause.kind, cause.since) == (Kind.PARKED, ago(40))
    assert "(3 tries): RuntimeError: a bug" in cause.detail
    assert cause.remedy == "orchestrator events parked retry 17 (or: bury 17)"


def test_start_waits_for_a_master_to_take_it() -> None:
    """The command is still a row."""
    cause = first(submitted_facts(commands=(START,)))

    assert said([cause]) == ["command_waits: a START waits for its master to take it"]
    assert cause.since == ago(5)


def test_start_that_an_overloaded_master_refuses_names_the_reason() -> None:
    """It takes reports, but no new runs."""
    head = {"state": WorkflowState.SUBMITTED, "started_at": None}
    facts = some_facts(head=head, evidence={"commands": (START,)}, fleet={"overloaded": "memory"})

    cause = first(facts)

    assert cause.kind is Kind.OVERLOAD
    assert "(memory)" in cause.detail
    assert "_MEMORY_LIMIT" in cause.remedy


def test_refused_start_is_why_a_run_never_begins() -> None:
    """It stands among the commands that could never succeed, with its reason."""
    refused = Asked(kind="START", at=ago(9), reason="its body is no map")

    cause = first(submitted_facts(refused=(refused,)))

    assert (cause.kind, cause.since) == (Kind.START_REFUSED, ago(9))
    assert cause.detail.endswith("its body is no map")


def test_of_refused_commands_the_last_of_each_kind_is_told_at_the_end() -> None:
    """What a person asked for and did not get is told, but it does not hold anything back."""
    refused = (
        Asked(kind="SIGNAL", at=ago(2), reason="new"),
        Asked(kind="SIGNAL", at=ago(8), reason="old"),
    )

    causes = causes_of_run(some_facts(attempts=[running()], evidence={"refused": refused}))

    assert said(causes)[1:] == ["command_refused: a SIGNAL could not be carried out: new"]


def test_run_of_a_backfill_waits_for_its_turn() -> None:
    """It is SUBMITTED without a START: the backfill says who goes first."""
    place = BackfillPlace(id=3, max_parallel=2, created_at=ago(50), waiting=1, going_on=(14, 15))

    cause = first(submitted_facts(backfill=place))

    assert (cause.kind, cause.since) == (Kind.BACKFILL, ago(50))
    assert cause.detail == (
        "waits for its turn in backfill 3, which runs 2 at a time: 14, 15 not ended, and 1 wait before it"
    )


def test_run_that_a_backfill_stopped_says_whose_failure_that_was() -> None:
    """A serial backfill ends at its first failure: the others never start."""
    place = BackfillPlace(id=3, max_parallel=1, created_at=ago(50), reason="run 14 ended FAILURE")
    head = {"state": WorkflowState.STOPPED, "started_at": None, "ended_at": ago(1), "reason": "stopped"}

    cause = first(some_facts(head=head, evidence={"backfill": place}))

    assert cause.detail.endswith("it never started: backfill 3 ended because run 14 ended FAILURE")
    assert cause.remedy == "orchestrator runs recover 17"


def test_run_that_nobody_starts_says_how_to_start_it_by_hand() -> None:
    """No START, no refusal, no backfill: somebody deleted its command."""
    cause = first(submitted_facts())

    assert (cause.kind, cause.since) == (Kind.NO_START, ago(61))
    assert "orchestrator runs resume 17" in cause.remedy


def test_paused_run_says_since_when_and_how_to_resume() -> None:
    """The command, its time, and its opposite."""
    cause = first(some_facts(head={"state": WorkflowState.PAUSED, "paused_at": ago(20)}))

    assert (cause.kind, cause.since, cause.remedy) == (Kind.PAUSED, ago(20), "orchestrator runs resume 17")


def test_pausing_run_names_what_may_still_end() -> None:
    """Running tasks end, nothing new starts."""
    head = {"state": WorkflowState.PAUSING, "paused_at": ago(20)}

    cause = first(some_facts(attempts=[running()], head=head))

    assert cause.kind is Kind.PAUSING
    assert cause.detail.endswith("what runs may end: a")


@pytest.mark.parametrize(
    ("state", "reason", "by"),
    [
        (WorkflowState.STOPPING, None, "a STOP"),
        (WorkflowState.STOPPING, "timeout", "its timeout"),
        (WorkflowState.PAUSED, "stopped", "a STOP"),
    ],
)
def test_run_that_is_being_stopped_says_by_what(state: WorkflowState, reason: str | None, by: str) -> None:
    """A person's command or the run's own timeout; a paused run is stopped without leaving PAUSED."""
    cause = first(some_facts(attempts=[running()], head={"state": state, "reason": reason}))

    assert cause.kind is Kind.STOPPING
    assert f"is being stopped by {by}:" in cause.detail
    assert "when a has ended" in cause.detail


def test_run_that_ends_after_a_failure_names_it() -> None:
    """`on_failure: end`: nothing new starts because of what failed."""
    facts = some_facts(
        a_task("a"),
        a_task("b"),
        a_task("c", "b"),
        attempts=[ended("a", TaskState.FAILURE), running("b")],
        head={"ending": True},
    )

    causes = causes_of_run(facts)

    assert causes[0].kind is Kind.STOPPING
    assert said(causes)[1] == "ending: is ending (on_failure: end) because of a: nothing new starts"


def test_ended_run_says_how_and_that_it_can_be_recovered() -> None:
    """Its reason, its time, and what failed."""
    facts = some_facts(
        attempts=[ended("a", TaskState.FAILURE, reason="exit code 3")],
        head={"state": WorkflowState.FAILURE, "ended_at": ago(1), "reason": "failed: a"},
    )

    causes = causes_of_run(facts)

    assert said(causes) == [
        "a failed: ended FAILURE in attempt 1: exit code 3",
        "ended: ended FAILURE: failed: a",
    ]
    assert [cause.remedy for cause in causes] == [
        "orchestrator runs logs 17 a",
        "orchestrator runs recover 17",
    ]


WAITING = {"state": WorkflowState.WAITING, "started_at": None}


@pytest.mark.parametrize(
    ("place", "detail", "remedy"),
    [
        (None, "nobody has it; a master passes it on in seconds", ""),
        (TurnPlace(holder=None, ahead=1), "passes it on in seconds, and 1 run waits before it", ""),
        (TurnPlace(holder=9, state="SUCCESS"), "nobody has it; a master passes it on in seconds", ""),
        (TurnPlace(holder=9, state="RUNNING"), "of w: run 9 (RUNNING) has it", ""),
        (
            TurnPlace(holder=9, state="WAITING", ahead=2),
            "run 9 (WAITING) has it, and 2 runs wait before it",
            "",
        ),
        (TurnPlace(holder=9, state="PAUSED"), "run 9 (PAUSED) has it", "resume 9 (or: runs stop 9)"),
        (TurnPlace(holder=17, state="WAITING"), "has been given its turn", ""),
    ],
)
def test_waiting_run_says_who_has_the_turn_and_who_comes_before(
    place: TurnPlace | None, detail: str, remedy: str
) -> None:
    """A run that holds all others up is named with what to do about it."""
    cause = first(some_facts(head=WAITING, evidence={"turn": place}))

    assert (cause.kind, detail in cause.detail, cause.remedy.endswith(remedy)) == (Kind.SERIAL, True, True)


def test_paused_run_says_who_waits_for_it() -> None:
    """PAUSED keeps the turn."""
    place = TurnPlace(holder=17, state="PAUSED", ahead=3)
    cause = first(some_facts(head={"state": WorkflowState.PAUSED}, evidence={"turn": place}))

    assert "it keeps its turn, for which 3 runs wait of w" in cause.detail


def test_run_that_a_newcomer_stops_says_so() -> None:
    """Nobody asked for it by hand."""
    reason = "stopped for run 18, which came later (serial_priority)"
    cause = first(some_facts(head={"state": WorkflowState.STOPPING, "reason": reason}))

    assert f"by a STOP ({reason})" in cause.detail


def test_healthy_run_is_held_back_by_nothing() -> None:
    """There is always an answer."""
    assert said(causes_of_run(some_facts(attempts=[ended("a", TaskState.SUCCESS)]))) == [
        "going_on: is held back by nothing: its master carries it on"
    ]


def test_many_tasks_alike_are_counted_not_listed() -> None:
    """Somebody who asks about a run of 100,000 tasks gets an answer that can be read."""
    tasks = [a_task(f"t{number}") for number in range(60)]
    attempts = [an_attempt(task.name) for task in tasks]

    causes = causes_of_run(some_facts(*tasks, attempts=attempts))

    assert len(causes) == 51
    assert causes[-1].detail == "10 more tasks of it are like those above (room)"
    assert causes[-1].remedy == "ask for one: orchestrator runs explain 17 TASK"


def test_many_tasks_that_are_not_run_are_counted_too() -> None:
    """What is not told is not worked out."""
    tasks = [a_task("a"), *(a_task(f"t{number}", "a") for number in range(60))]

    causes = causes_of_run(some_facts(*tasks, attempts=[ended("a", TaskState.FAILURE)]))

    assert [cause.detail for cause in causes if cause.task is None] == [
        "10 more tasks of it are like those above (not_run)"
    ]
    assert all(cause.detail for cause in causes)


def test_causes_are_ordered_by_weight_and_stay_in_order_otherwise() -> None:
    """The order of `Kind` is the order of the answer."""
    causes = [
        Cause(kind=Kind.UPSTREAM, detail="", task="b"),
        Cause(kind=Kind.UPSTREAM, detail="", task="a"),
        Cause(kind=Kind.PARKED, detail=""),
    ]

    assert [cause.task for cause in by_weight(causes)] == [None, "b", "a"]


def test_long_lists_of_names_are_cut() -> None:
    """Three names, and how many more there are."""
    assert named(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"


def test_operations_lists_every_cause_in_its_order() -> None:
    """Who reads the page sees all that `explain` may say, the most decisive first, and nothing that is gone."""
    text = (Path(__file__).parents[3] / "docs" / "operations.md").read_text(encoding="utf-8")
    _, _, table = text.partition("| `cause`, the most decisive first |")
    documented = [
        name
        for line in table.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`([a-z_]+)`", line.split("|")[1])
    ]

    assert documented == [str(kind) for kind in Kind]
