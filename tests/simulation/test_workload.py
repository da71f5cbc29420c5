"""Tests of the workloads: plans are repeatable, valid, varied, and fair to the model."""

from collections import Counter
from dataclasses import replace
from functools import cache

import pytest
import yaml

from orchestrator.authoring.checks import check, size_faults
from orchestrator.authoring.load import load_text
from orchestrator.core.dag import compile_graph
from orchestrator.core.definition import (
    Execution,
    OnFailure,
    TaskDefinition,
    Trigger,
    WorkflowDefinition,
    from_document,
    to_document,
)
from tests.simulation import faults, workload
from tests.simulation.database import Database
from tests.simulation.model_attempts import CHILD_DEATHS
from tests.simulation.plan import Plan, PlannedRun, Script
from tests.simulation.simulation import simulate
from tests.simulation.workload_approvals import APPROVAL
from tests.simulation.workload_faults import KINDS, LATEST_S, MOST
from tests.simulation.workload_length import length_s
from tests.simulation.workload_maps import map_of, scripts_of
from tests.simulation.workload_moments import STALL
from tests.simulation.workload_pools import NAMES, POOL_KINDS
from tests.simulation.workload_serial import CRASHES
from tests.simulation.workload_shapes import SHAPES
from tests.simulation.workload_tasks import HOURS_S

SEEDS = range(400)
MINUTES_S = 120.0


@cache
def plans() -> tuple[Plan, ...]:
    """Return some plans, drawn once."""
    return tuple(workload.draw(seed) for seed in SEEDS)


def runs() -> list[PlannedRun]:
    """Return the runs of these plans."""
    return [run for plan in plans() for run in (*plan.runs, *plan.children.values())]


def every_shape() -> list[Plan]:
    """Return every shape, in full and small."""
    return [
        workload.shape(name, seed, small=small)
        for name in SHAPES
        for seed in (0, 1)
        for small in (False, True)
    ]


# --- repeatable ------------------------------------------------------------------------------


def test_the_same_seed_is_the_same_plan() -> None:
    """A seed is enough to see a simulation again."""
    assert [workload.draw(seed) for seed in range(30)] == list(plans()[:30])


def test_faults_and_controls_have_dice_of_their_own() -> None:
    """Whoever draws other faults for a seed gets the same runs."""
    for plan in plans()[:50]:
        bare = replace(plan, faults=())
        assert workload.with_faults(bare).runs == plan.runs


# --- valid -----------------------------------------------------------------------------------


def test_every_definition_passes_the_checks_of_the_language() -> None:
    """What is drawn could have been deployed, and this version can run it."""
    for run in [*runs(), *(run for plan in every_shape() for run in plan.runs)]:
        definition = run.definition
        compile_graph(definition)
        assert [*check(definition), *size_faults(definition)] == []


def test_definitions_can_be_written_in_the_language() -> None:
    """Written as YAML and read again, a drawn definition is the same."""
    for run in runs()[:60]:
        (read,) = load_text(yaml.safe_dump(as_written(run.definition), sort_keys=False))
        assert replace(read, source_dir=None) == run.definition


def test_definitions_survive_the_store() -> None:
    """Their document gives the same definition again."""
    for run in runs():
        assert from_document(to_document(run.definition)) == run.definition


def _written(field: str) -> str:
    """Return what people call a field."""
    return "map" if field == "map_over" else field.removesuffix("_s")


def as_written(definition: WorkflowDefinition) -> dict[str, object]:
    """Return a definition as a person would write it: durations have no unit in their names."""
    document = to_document(definition)
    tasks = [
        {_written(name): _plain(value) for name, value in (task | task.pop("spec", {})).items()}
        for task in document.pop("tasks")
    ]
    workflow = {name: _plain(value) for name, value in document.items() if value not in ({}, [])}
    return {"workflow": workflow, "tasks": tasks}


def _plain(value: object) -> object:
    return str(value) if isinstance(value, str) else value


def test_scripts_belong_to_tasks() -> None:
    """No script speaks of a task that its definition lacks."""
    for run in runs():
        assert {map_of(name) for name in run.scripts} <= {task.name for task in run.definition.tasks}


def test_every_group_has_a_worker() -> None:
    """No run waits for ever for a group that nobody serves, and worker names are unique."""
    for plan in plans():
        served = {group for worker in plan.workers for group in worker.groups}
        assert all(workload.groups_of(run.definition) <= served for run in plan.runs)
        assert len({worker.name for worker in plan.workers}) == len(plan.workers)


# --- fair ------------------------------------------------------------------------------------


def pairs() -> list[tuple[Plan, TaskDefinition, Script]]:
    """Return each task of the drawn plans with its plan and script."""
    return [
        (plan, task, script)
        for plan in plans()
        for run in plan.runs
        for task in run.definition.tasks
        for script in scripts_of(run, task)
    ]


def test_no_fault_can_make_a_healthy_task_time_out() -> None:
    """A timeout stands on tasks that hang for ever, only warns, is hours away, or is in a plan without faults.

    But for the shape that is about timeouts, and approvals, which wait for people: there the oracle looks at each.
    """
    for plan, task, script in pairs():
        if plan.runs[0].definition.name == "close_call" or task.type == APPROVAL:
            continue
        if task.timeout_s is None or task.on_timeout == "warn" or task.timeout_s >= HOURS_S:
            continue
        assert script.hangs
        assert script.failures > task.retries or not plan.faults


def test_what_hangs_has_a_timeout() -> None:
    """Nothing hangs for ever, and a try that does not hang ends before its timeout."""
    for _plan, task, script in pairs():
        if script.hangs:
            assert task.timeout_s is not None
            assert script.takes_s < task.timeout_s <= MINUTES_S


def test_children_die_less_often_than_the_limit_or_always() -> None:
    """One more death by a fault must not be what decides, except where every child dies."""
    assert {script.deaths for _, _, script in pairs()} == {0, 1, CHILD_DEATHS - 1, 1_000}


def test_references_always_have_a_value() -> None:
    """Who refers to an output needs nothing but its task, runs after its success alone, and neither is a wire."""
    referring = 0
    for run in runs():
        tasks = {task.name: task for task in run.definition.tasks}
        for task in tasks.values():
            references = {name: value for name, value in task.params.items() if name == "given"}
            if references:
                referring += 1
                (need,) = task.needs
                assert task.trigger is Trigger.ALL_SUCCESS
                assert references == {"given": f"${{{need}.value}}"}
                assert tasks[need].outputs
                assert not tasks[need].disabled
    assert referring


def test_nothing_stays_paused() -> None:
    """Behind every pause of a run comes a resume or a stop, and controls stand in order of time."""
    for plan in plans():
        assert list(plan.controls) == sorted(plan.controls, key=lambda control: control.at_s)
        for position, run in enumerate(plan.runs):
            kinds = [control.kind for control in plan.controls if control.run == position]
            assert not kinds or kinds[-1] != "pause"
            moments = [control.at_s for control in plan.controls if control.run == position]
            assert all(at_s >= run.submit_at_s for at_s in moments)


# --- varied ----------------------------------------------------------------------------------


def test_every_drawn_kind_of_fault_exists_and_is_drawn() -> None:
    """The table's kinds are those that the simulation can carry out, and all of them come up."""
    assert {*KINDS, *POOL_KINDS, *CRASHES, STALL} == set(faults.KINDS)
    drawn = Counter(fault.kind for seed in range(2_000) for fault in workload.draw(seed).faults)
    assert set(drawn) == set(faults.KINDS)


def test_some_plans_have_pools_that_end_with_slots() -> None:
    """Tasks of about a fifth of the plans share slots; whoever is asked to resize leaves some in the end."""
    pooled = [plan for plan in plans() if plan.pools]
    assert 0.1 < len(pooled) / len(plans()) < 0.3
    for plan in pooled:
        named = {task.pool for run in plan.runs for task in run.definition.tasks if task.pool}
        assert named <= set(plan.pools) <= set(NAMES)
        assert all({**plan.pools, **{one.pool: one.slots for one in plan.resizes}}.values())
    assert any(one.slots == 0 for plan in pooled for one in plan.resizes)


def test_faults_come_early_and_are_few() -> None:
    """All stand within the first minute, in order; a tenth of the plans has none; a shape brings up to 33."""
    for plan in plans():
        moments = [fault.at_s for fault in plan.faults]
        assert moments == sorted(moments)
        assert all(0 <= at_s <= LATEST_S for at_s in moments)
    numbers = [len(plan.faults) for plan in plans()]
    assert 0.05 < numbers.count(0) / len(numbers) < 0.2
    assert max(numbers) <= MOST + 33


def test_a_run_without_faults_takes_about_as_long_as_estimated() -> None:
    """Faults are spread over the estimate: were it far too long, they would come when all is over."""
    database = Database()
    calm = [one for one in plans() if not one.faults and not one.controls]
    for plan in [one for one in calm if not _may_end_early(one) and not _has_deaths(one)][:10]:
        ended_s = simulate(replace(plan, lag_s=0.0), database).ended_s

        assert length_s(plan) * 0.5 <= ended_s <= length_s(plan) * 3 + 10.0


def _may_end_early(plan: Plan) -> bool:
    return any(run.definition.on_failure is OnFailure.END for run in plan.runs)


def _has_deaths(plan: Plan) -> bool:
    """Whether messages of dead children lie with the broker until it gives them out again."""
    return any(script.deaths for run in plan.runs for script in run.scripts.values())


def test_faults_of_messages_find_one_in_a_full_queue() -> None:
    """What loses, doubles and delays messages waits until there is one, and counts when it hits."""
    database = Database()
    outcomes = [simulate(workload.shape("queue", seed, small=True), database) for seed in range(6)]

    assert [line for one in outcomes for line in one.violations] == []
    hit = sum((one.faults for one in outcomes), Counter())
    assert min(hit[kind] for kind in ("message_lost", "message_duplicated", "message_late")) >= 1


def test_sizes_are_skewed_to_small_runs() -> None:
    """Half of the runs have a handful of tasks, and some have more than forty."""
    sizes = sorted(len(run.definition.tasks) for run in runs())
    assert sizes[0] == 1
    assert 4 <= sizes[len(sizes) // 2] <= 8
    assert 40 < sizes[-1] <= 60


def test_everything_that_a_task_can_be_comes_up() -> None:
    """All triggers, fates, groups, strategies and controls are drawn."""
    tasks = [task for _, task, _ in pairs()]
    scripts = [script for _, _, script in pairs()]
    assert {task.trigger for task in tasks} == set(Trigger)
    assert {run.definition.on_failure for run in runs()} == set(OnFailure)
    assert {task.worker_group for task in tasks} == {None, "heavy"}
    assert {task.cache for task in tasks} == {True, False}
    assert {len(plan.runs) for plan in plans()} == set(range(1, 9))  # more than four with a serial workflow
    assert {run.definition.execution for run in runs()} == set(Execution)
    assert {len(plan.workers) for plan in plans()} == {1, 2, 3}
    assert {control.kind for plan in plans() for control in plan.controls} == {
        "pause",
        "resume",
        "stop",
        "hold",
        "release",
        "recover",
        "rerun",
    }
    assert all(
        any(getattr(task, name) for task in tasks) for name in ("disabled", "retries", "delay_s", "outputs")
    )
    assert all(any(getattr(script, name) for script in scripts) for name in Script.__dataclass_fields__)
    assert any(
        first.definition is second.definition for plan in plans() for first, second in _neighbours(plan)
    )


def _neighbours(plan: Plan) -> list[tuple[PlannedRun, PlannedRun]]:
    return list(zip(plan.runs, plan.runs[1:], strict=False))


@pytest.mark.parametrize(
    ("name", "tasks"), [("wide_join", 47), ("chain", 2_000), ("killer", 24), ("worker_killer", 3)]
)
def test_a_shape_has_its_size(name: str, tasks: int) -> None:
    """A shape in full is as big as it takes to hurt."""
    (run,) = workload.shape(name, 0).runs

    assert len(run.definition.tasks) == tasks


def test_small_shapes_are_small() -> None:
    """The versions that `draw` gives have few tasks."""
    for name in SHAPES:
        (run,) = workload.shape(name, 1, small=True).runs
        assert len(run.definition.tasks) <= 24
