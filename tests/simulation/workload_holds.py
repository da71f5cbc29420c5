"""Owns the drawing of cached tasks, and of tasks that people pause by name, into plans drawn otherwise."""

from collections.abc import Mapping
from dataclasses import replace
from random import Random

from orchestrator.core.definition import TaskDefinition, WorkflowDefinition
from tests.simulation.plan import Plan, PlannedControl, PlannedRun, Script
from tests.simulation.workload_faults import LATEST_S

OFTEN = 0.6
"""So many of the tasks of such a plan keep their outputs; so many of its runs have tasks that are held."""


def with_caches(plan: Plan, dice: Random) -> Plan:
    """Return the plan with tasks that keep their outputs, if what has the same name does the same in it."""
    first = {run.definition.name: run for run in reversed(plan.runs)}
    if any((run.definition, run.scripts) != _work(first[run.definition.name]) for run in plan.runs):
        return plan
    cached = {name: _cached(run.definition, dice) for name, run in sorted(first.items())}
    return replace(
        plan, runs=tuple(replace(run, definition=cached[run.definition.name]) for run in plan.runs)
    )


def draw_holds(plan: Plan, dice: Random) -> list[PlannedControl]:
    """Return pauses of single tasks, each followed by its resume."""
    controls = []
    for position, run in enumerate(plan.runs):
        names = [task.name for task in run.definition.tasks if not task.disabled]
        if not names or dice.random() >= OFTEN:
            continue
        for name in dice.sample(names, min(len(names), dice.randint(1, 3))):
            at_s = min(run.submit_at_s + dice.uniform(0.01, 10.0), LATEST_S)
            over_s = at_s + dice.choice([0.02, 0.5, 3.0, 20.0]) * dice.uniform(0.5, 1.5)
            controls += [
                PlannedControl(at_s=round(at_s, 3), run=position, kind="hold", task=name),
                PlannedControl(at_s=round(over_s, 3), run=position, kind="release", task=name),
            ]
    return controls


def _cached(definition: WorkflowDefinition, dice: Random) -> WorkflowDefinition:
    tasks = [
        replace(task, cache=True) if _may_be_kept(task) and dice.random() < OFTEN else task
        for task in definition.tasks
    ]
    return replace(definition, tasks=tuple(tasks))


def _may_be_kept(task: TaskDefinition) -> bool:
    """Whether equal inputs mean equal outputs by the scripts: elements of a map name themselves in theirs."""
    return task.type == "noop" and not (task.map_over is not None and task.outputs)


def _work(run: PlannedRun) -> tuple[WorkflowDefinition, Mapping[str, Script]]:
    return run.definition, run.scripts
