"""Tests of the simulated dependent tasks: what is drawn, and what the model says of other workflows' runs."""

from datetime import timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from orchestrator.core.windows import slots
from tests.simulation import workload
from tests.simulation.model_dependents import SeenRun, Verdict, verdict
from tests.simulation.plan import Plan
from tests.simulation.workload_dependents import (
    AWAITED,
    DEPENDENT,
    LOOKS_FROM,
    NOON,
    WINDOWS,
    slot_s,
)

MOST = 20
HOUR = timedelta(hours=1)
SPEC = {"all": [{"workflow": AWAITED, "window": "current_hour"}]}
TASK_SPEC = {"all": [{"workflow": AWAITED, "task": "t0", "window": "current_hour"}]}


def run(number: int, state: str, *, hours: float = 0.0, ended: int | None = None, task: str = "") -> SeenRun:
    """Return a run of the workflow that is awaited, planned so many hours after noon."""
    ended_at = None if ended is None else NOON + timedelta(seconds=ended)
    return SeenRun(
        id=number,
        workflow=AWAITED,
        planned_time=NOON + hours * HOUR,
        state=state,
        ended_at=ended_at,
        began=True,
        tasks={"t0": (task, ended_at)} if task else {},
    )


def plans_with_dependents() -> list[Plan]:
    """Return some plans in which a task waits for other runs."""
    drawn = (
        plan
        for plan in map(workload.draw, range(1, 2_000))
        if any(one.definition.name == AWAITED for one in plan.runs)
    )
    return list(islice(drawn, MOST))


def test_dependent_tasks_are_drawn_with_and_without_a_limit() -> None:
    """Some wait for ever, some are given up, some cannot do without a run; all have runs that look back."""
    plans = plans_with_dependents()
    specs = [
        task.spec
        for plan in plans
        for one in plan.runs
        for task in one.definition.tasks
        if task.type == DEPENDENT
    ]

    assert {"wait" in spec for spec in specs} == {True, False}
    assert {"on_missing" in spec for spec in specs} == {True, False}
    assert all(one.planned_time is not None for plan in plans for one in plan.runs)


@pytest.mark.parametrize("seed", [7230548, 7230741])
def test_runs_that_are_awaited_go_where_a_worker_is(seed: int) -> None:
    """Also where all tasks of the run that waits name another group than the run's own."""
    plan = workload.draw(seed)
    served = {group for worker in plan.workers for group in worker.groups}

    assert plan.runs[0].definition.worker_group not in served
    awaited = [one.definition for one in plan.runs if one.definition.name == AWAITED]
    assert awaited
    assert all(workload.groups_of(one) <= served for one in awaited)


@pytest.mark.parametrize("window", WINDOWS)
def test_the_slots_that_are_written_down_are_those_of_the_product(window: str) -> None:
    """The model's slots and the product's are the same, though neither is worked out from the other."""
    from_product = [(slot.begin, slot.until) for slot in slots(window, LOOKS_FROM, ZoneInfo("UTC"))]

    assert from_product == [(begin, begin + slot_s(window)) for begin in WINDOWS[window]]


def test_the_run_that_ended_last_counts() -> None:
    """Of two in one slot the later end decides; one planned just outside says nothing."""
    good, bad = run(1, "SUCCESS", ended=9), run(2, "FAILURE", ended=5)
    outside = run(3, "FAILURE", hours=1.0, ended=20)

    assert verdict(SPEC, [good, bad, outside]) is Verdict.MET
    assert verdict(SPEC, [run(1, "SUCCESS", ended=3), bad]) is Verdict.FAILED


def test_what_goes_on_is_waited_for_and_what_is_missing_may_be() -> None:
    """A run that has not ended is waited for; none at all too, unless that is to mean a failure."""
    assert verdict(SPEC, [run(1, "RUNNING")]) is Verdict.WAITING
    assert verdict(SPEC, []) is Verdict.WAITING
    assert verdict({**SPEC, "on_missing": "fail"}, []) is Verdict.FAILED
    assert verdict({**SPEC, "on_missing": "fail"}, [run(1, "RUNNING")]) is Verdict.WAITING


def test_a_task_counts_as_soon_as_it_has_ended() -> None:
    """Its run may still go on, or fail; of a run that ended without it nothing is met."""
    assert verdict(TASK_SPEC, [run(1, "RUNNING", ended=3, task="SUCCESS")]) is Verdict.MET
    assert verdict(TASK_SPEC, [run(1, "FAILURE", ended=3, task="SUCCESS")]) is Verdict.MET
    assert verdict(TASK_SPEC, [run(1, "SUCCESS", ended=3, task="SKIPPED")]) is Verdict.FAILED
    assert verdict(TASK_SPEC, [run(1, "SUCCESS", ended=3)]) is Verdict.FAILED


def test_one_of_any_is_enough_and_none_of_all_may_fail() -> None:
    """A failed one of `any` waits for the others; of `all` it fails the whole."""
    nobody = {"workflow": "nobody", "window": "current_hour"}
    awaited = SPEC["all"][0]
    failed = [run(1, "FAILURE", ended=3)]

    assert verdict({"any": [nobody, awaited]}, failed) is Verdict.WAITING
    assert verdict({"all": [nobody, awaited]}, failed) is Verdict.FAILED
    assert verdict({"any": [nobody, awaited]}, [run(1, "SUCCESS", ended=3)]) is Verdict.MET
