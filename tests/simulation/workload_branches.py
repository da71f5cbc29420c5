"""Owns the drawing of branches: some tasks of a plan become switch or conditions tasks."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from orchestrator.core.definition import TaskDefinition, Trigger
from tests.simulation.plan import Plan, PlannedRun

TRUE, FALSE = "1 > 0", "0 > 1"
"""Expressions that the model can read."""

OFTEN = 0.5
"""So many of the tasks that can branch do."""


def with_branches(plan: Plan, dice: Random) -> Plan:
    """Return the plan with branching tasks in the place of some others."""
    return replace(plan, runs=tuple(_branched(run, dice) for run in plan.runs))


def _branched(run: PlannedRun, dice: Random) -> PlannedRun:
    tasks = {task.name: task for task in run.definition.tasks}
    behind = _behind(run.definition.tasks)
    for name, downstream in behind.items():
        enabled = [one for one in downstream if not tasks[one].disabled]
        if enabled and dice.random() < OFTEN and _may_branch(tasks[name], tasks, behind):
            tasks[name] = _branching(tasks[name], enabled, dice)
    scripts = {name: script for name, script in run.scripts.items() if tasks[name].type == "noop"}
    definition = replace(run.definition, tasks=tuple(_without_lost_inputs(tasks)))
    return replace(run, definition=definition, scripts=scripts)


def _behind(tasks: Sequence[TaskDefinition]) -> Mapping[str, list[str]]:
    behind: dict[str, list[str]] = {task.name: [] for task in tasks}
    for task in tasks:
        for need in task.needs:
            behind[need].append(task.name)
    return behind


def _may_branch(
    task: TaskDefinition, tasks: Mapping[str, TaskDefinition], behind: Mapping[str, Sequence[str]]
) -> bool:
    """Whether a task is an ordinary one, and not so many others branch that nothing is left to run."""
    branching = sum(one.type != "noop" for one in tasks.values())
    return task.type == "noop" and not task.disabled and 3 * branching < len(behind)


def _branching(task: TaskDefinition, downstream: Sequence[str], dice: Random) -> TaskDefinition:
    first = [one for one in downstream if dice.random() < 0.6]
    second = [one for one in downstream if one not in first and dice.random() < 0.7]
    if task.needs and dice.random() < 0.5:
        return _conditions(task, first, second, dice)
    cases = [{"when": dice.choice([TRUE, FALSE]), "then": first}]
    return TaskDefinition(
        name=task.name,
        type="switch",
        needs=task.needs,
        trigger=task.trigger,
        priority=task.priority,
        spec={"cases": cases, "default": second},
    )


def _conditions(
    task: TaskDefinition, first: Sequence[str], second: Sequence[str], dice: Random
) -> TaskDefinition:
    items = [{"task": need, "is": dice.choice(["success", "success", "failure"])} for need in task.needs]
    dice.shuffle(items)
    spec: dict[str, Any] = {dice.choice(["all", "any"]): items[: dice.randint(1, len(items))]}
    return TaskDefinition(
        name=task.name,
        type="conditions",
        needs=task.needs,
        trigger=Trigger.ALL_SUCCESS,
        priority=task.priority,
        spec={**spec, "success": list(first), "failure": list(second)},
    )


def _without_lost_inputs(tasks: Mapping[str, TaskDefinition]) -> list[TaskDefinition]:
    """Return the tasks without references to tasks that give no outputs any more."""
    return [
        replace(task, params={}) if any(tasks[need].type != "noop" for need in task.needs) else task
        for task in tasks.values()
    ]
