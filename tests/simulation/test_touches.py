"""Tests of people who control called runs by hand: what is drawn and noted, and what the model allows then."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from random import Random

import pytest

from orchestrator.core.definition import OnFailure, TaskDefinition, Trigger, WorkflowDefinition
from tests.simulation import workload
from tests.simulation.chronicle import Chronicle
from tests.simulation.database import Database
from tests.simulation.model import Seen, SeenAttempt, judge
from tests.simulation.mutant_children import OLD_END
from tests.simulation.mutant_patch import mutated
from tests.simulation.plan import (
    ALWAYS,
    UNTIL_REPORTED,
    Plan,
    PlannedRun,
    PlannedTouch,
    PlannedWorker,
    Script,
)
from tests.simulation.shrink import shrink
from tests.simulation.simulation import examine
from tests.simulation.story import quiet
from tests.simulation.workload_children import CALLS
from tests.simulation.workload_dependents import AWAITED
from tests.simulation.workload_touches import AGAIN, GOING_ON, MOMENTS, with_touches

PARENT, CHILD = 1, 2


class Rows(Database):
    """A database of one called run, and of the attempts that wait for it."""

    def __init__(self) -> None:
        self.stand: tuple[str, int] = ("RUNNING", 1)
        self.attempts: dict[int, str] = {}

    def rows(self, query: str, *_values: object) -> list[tuple[object, ...]]:
        """Return the called run, or the attempts."""
        if "FROM workflow_instance" in query:
            state, run_count = self.stand
            return [(CHILD, state, run_count, None if state == "RUNNING" else "2026-01-01 00:00:00")]
        return [
            (PARENT, "call", attempt, state, CHILD, "2026-01-01 00:00:00")
            for attempt, state in self.attempts.items()
        ]


def chronicle(*moments: tuple[str, int, Mapping[int, str]]) -> Chronicle:
    """Return the chronicle of what was committed: state and run count of the child, and its parent's attempts."""
    database = Rows()
    found = Chronicle(database)
    for state, run_count, attempts in moments:
        database.stand, database.attempts = (state, run_count), dict(attempts)
        found.at_point("store.before_flush")
    return found


@pytest.fixture(scope="module")
def plans() -> list[Plan]:
    """Return some plans in which people touch called runs."""
    return list(islice((plan for plan in map(workload.draw, range(1, 3_000)) if plan.touches), 20))


def call(*, cut_by_hand: bool = False) -> tuple[PlannedRun, Seen]:
    """Return a run of one call, and how it ended: its child was stopped."""
    task = TaskDefinition(name="t", type=CALLS, spec={"workflow": "c0"})
    row = SeenAttempt(task="t", attempt=1, state="KILLED", child_state="STOPPED", cut_by_hand=cut_by_hand)
    run = PlannedRun(definition=WorkflowDefinition(name="w", tasks=(task,)))
    return run, Seen(state="FAILURE", attempts=(row,), stop_was_sent=False)


def test_touches_are_drawn_at_every_moment_and_in_every_order(plans: list[Plan]) -> None:
    """Children that go on, have ended, or whose callers have; what is done to them is drawn in all its forms."""
    touches = [touch for plan in plans for touch in plan.touches]

    assert {touch.moment for touch in touches} == set(MOMENTS)
    assert {touch.twice for touch in touches} == {True, False}
    assert len({touch.steps for touch in touches}) > len({*GOING_ON, *AGAIN}) / 2
    assert any(len(plan.children) == 2 for plan in plans)


def test_whatever_is_paused_by_hand_is_let_go_in_the_end() -> None:
    """Otherwise a run would stay PAUSED, and nobody could say whether it should."""
    for steps in (*GOING_ON, *AGAIN):
        for who in ("", "caller "):
            ends = [steps.index(f"{who}{end}") for end in ("resume", "stop") if f"{who}{end}" in steps]
            if f"{who}pause" in steps:
                assert max(ends) > steps.index(f"{who}pause"), steps
        assert ("hold" in steps) == ("release" in steps), steps


def test_the_other_draws_of_a_plan_do_not_move(plans: list[Plan]) -> None:
    """A stream of their own: without the touches the plan is what it was before there were any."""
    for plan in plans:
        untouched = replace(plan, touches=())
        assert replace(with_touches(untouched, Random(1)), touches=()) == untouched


def test_touches_that_a_failure_does_not_need_are_left_out(plans: list[Plan]) -> None:
    """A plan is made smaller by them, too; those of a run that is left out go with it."""
    alone = [plan for plan in plans if all(run.definition.name != AWAITED for run in plan.runs)]
    plan = max(alone, key=lambda one: (len(one.runs), len(one.touches)))
    wanted = plan.touches[0].steps

    small = shrink(plan, lambda one: any(touch.steps == wanted for touch in one.touches))

    (touch,) = small.touches
    assert (touch.steps, touch.run, len(small.runs)) == (wanted, 0, 1)


def test_an_attempt_takes_the_end_that_stood_before_its_own() -> None:
    """What the child is run again for afterwards is nobody's any more."""
    seen = chronicle(
        ("RUNNING", 1, {1: "RUNNING"}),
        ("FAILURE", 1, {1: "RUNNING"}),
        ("RUNNING", 2, {1: "FAILURE"}),
        ("SUCCESS", 2, {1: "FAILURE"}),
    )

    assert seen.wrong == []
    assert seen.taken[PARENT, "call", 1].state == "FAILURE"
    assert seen.has_begun_anew(CHILD, 2)
    assert not seen.has_begun_anew(CHILD, 1)


@pytest.mark.parametrize(
    ("moments", "said"),
    [
        ([("RUNNING", 1, {1: "RUNNING"}), ("FAILURE", 1, {1: "FAILURE"})], "C4: 1:call:1 is FAILURE"),
        (
            [
                ("RUNNING", 1, {1: "RUNNING"}),
                ("FAILURE", 1, {1: "RUNNING"}),
                ("FAILURE", 1, {1: "FAILURE"}),
                ("FAILURE", 2, {1: "FAILURE", 2: "RUNNING"}),
                ("RUNNING", 3, {1: "FAILURE", 2: "FAILURE"}),
            ],
            "C5: 1:call:2 is FAILURE by an end of run 2 from before its beginning",
        ),
        (
            [
                ("SUCCESS", 1, {1: "RUNNING"}),
                ("SUCCESS", 1, {1: "SUCCESS"}),
                ("FAILURE", 2, {1: "FAILURE"}),
            ],
            "C6: 1:call:1 was SUCCESS and is FAILURE",
        ),
    ],
)
def test_what_must_not_be_is_noticed(moments: list[tuple[str, int, Mapping[int, str]]], said: str) -> None:
    """An end before the child's, one that stood when the attempt began, and a change of what has ended."""
    (wrong,) = chronicle(*moments).wrong

    assert wrong.startswith(said)


def test_a_success_may_be_taken_twice() -> None:
    """What has succeeded refuses to recover, and so a recovered task takes what is there."""
    seen = chronicle(
        ("SUCCESS", 1, {1: "RUNNING"}),
        ("SUCCESS", 1, {1: "FAILURE"}),
        ("SUCCESS", 1, {1: "FAILURE", 2: "SUCCESS"}),
    )

    assert seen.wrong == []


def test_a_child_that_was_stopped_by_hand_kills_its_task() -> None:
    """Its run fails by that alone; if nobody stopped the child, that is not to be."""
    assert judge(*call(cut_by_hand=True)) == []
    assert judge(*call()) == ["O1: t runs: it is left KILLED"]


def test_a_child_that_was_stopped_by_hand_ends_its_parent_under_end() -> None:
    """It is a cause like any failure."""
    run, seen = call(cut_by_hand=True)
    definition = replace(run.definition, on_failure=OnFailure.END)

    assert judge(replace(run, definition=definition), seen) == []


def test_what_people_declare_a_success_is_one_for_what_is_behind_it() -> None:
    """The attempt failed as its script says, and its run goes on behind it."""
    first = TaskDefinition(name="a", type="noop")
    second = TaskDefinition(name="b", type="noop", needs=("a",))
    run = PlannedRun(
        definition=WorkflowDefinition(name="c", tasks=(first, second)), scripts={"a": Script(failures=1)}
    )
    rows = (
        SeenAttempt(task="a", attempt=1, state="FAILURE", forced=True),
        SeenAttempt(task="b", attempt=1, state="SUCCESS"),
    )
    seen = Seen(state="SUCCESS", attempts=rows, stop_was_sent=False, run_count=2)

    assert judge(run, seen) == []
    assert judge(run, replace(seen, attempts=rows[:1])) == ["O1: b runs and has no attempt"]


def test_what_ran_behind_a_failure_stays_when_that_is_declared_a_success() -> None:
    """A recover runs again what failed: what answered the failure has succeeded."""
    tasks = (
        TaskDefinition(name="a", type="noop"),
        TaskDefinition(name="b", type="noop", needs=("a",), trigger=Trigger.ONE_FAILED),
    )
    run = PlannedRun(definition=WorkflowDefinition(name="c", tasks=tasks), scripts={"a": Script(failures=1)})
    rows = (
        SeenAttempt(task="a", attempt=1, state="FAILURE", forced=True),
        SeenAttempt(task="b", attempt=1, state="SUCCESS"),
    )

    assert judge(run, Seen(state="SUCCESS", attempts=rows, stop_was_sent=False, run_count=2)) == []


def close_plan(*steps: str) -> Plan:
    """Return a run that has failed with its child, which fails whenever it runs, and what people do then.

    The loop lags, so that what comes within a second or two is one batch.
    """
    task = TaskDefinition(name="call", type=CALLS, spec={"workflow": "c0"})
    child = WorkflowDefinition(name="c0", tasks=(TaskDefinition(name="t", type="noop"),))
    return Plan(
        seed=1,
        runs=(PlannedRun(definition=WorkflowDefinition(name="w", tasks=(task,))),),
        workers=(PlannedWorker(name="w1"),),
        children={"c0": PlannedRun(definition=child, scripts={"t": Script(failures=ALWAYS, takes_s=0.5)})},
        touches=(PlannedTouch(at_s=0.5, run=0, steps=steps, every_s=0.0, moment="over"),),
        lag_s=1.0,
    )


def test_recovers_of_a_child_and_its_parent_that_meet_end_well() -> None:
    """Whichever comes first, the parent waits for what the child comes to this time."""
    for steps in (
        ("recover", UNTIL_REPORTED, "caller recover"),
        ("caller recover", "recover"),
        ("recover", "caller recover"),
        ("recover", "stop", "caller recover"),
    ):
        assert examine(close_plan(*steps), Database(), patience_s=120.0).violations == (), steps


def test_an_end_that_is_read_too_early_is_noticed() -> None:
    """Without the look at what the parent has asked, the new attempt ends by what its child had come to before."""
    plan = close_plan("recover", UNTIL_REPORTED, "caller recover")
    quiet()
    with mutated(OLD_END):
        found = examine(plan, Database(), patience_s=120.0).violations

    assert any(line.startswith("C5: ") for line in found)
