"""Owns the drawing of approvals: some tasks of a plan wait for a person, with a time limit or without."""

from collections.abc import Mapping
from dataclasses import replace
from random import Random

from orchestrator.core.definition import TaskDefinition
from tests.simulation.plan import Plan, PlannedRun, Script

APPROVAL = "approval"
"""The type of a task that waits for a signal."""

OFTEN = 0.3
"""So many of the tasks that can wait for a signal do."""

MOST_APPROVALS = 3
"""In one workflow."""

DEFAULT = {"value": "nobody said so"}
"""What counts when time is up, where something does."""


def with_approvals(plan: Plan, dice: Random) -> Plan:
    """Return the plan with approvals in the place of some tasks, of called workflows too."""
    waiting: dict[str, PlannedRun] = {}
    runs = []
    for run in plan.runs:  # what has the same name stays the same
        name = run.definition.name
        waiting.setdefault(name, _waiting(run, dice))
        runs.append(replace(waiting[name], submit_at_s=run.submit_at_s))
    children = {name: _waiting(run, dice) for name, run in plan.children.items()}
    return replace(plan, runs=tuple(runs), children=children)


def _waiting(run: PlannedRun, dice: Random) -> PlannedRun:
    tasks = {task.name: task for task in run.definition.tasks}
    can = [name for name, task in tasks.items() if _can_wait(task)]
    chosen = [name for name in can if dice.random() < OFTEN] or dice.sample(can, min(1, len(can)))
    scripts = dict(run.scripts)
    for name in chosen[:MOST_APPROVALS]:
        tasks[name] = _approval(tasks[name], dice)
        scripts[name] = Script(takes_s=2.0)
    kept = tuple(_without_lost_inputs(task, tasks) for task in tasks.values())
    return replace(run, definition=replace(run.definition, tasks=kept), scripts=scripts)


def _can_wait(task: TaskDefinition) -> bool:
    return task.type == "noop" and not task.disabled and task.map_over is None


def _approval(task: TaskDefinition, dice: Random) -> TaskDefinition:
    timeout_s = dice.choice([None, None, 2.0, 6.0, 20.0])
    default = timeout_s is not None and dice.random() < 0.5
    return TaskDefinition(
        name=task.name,
        type=APPROVAL,
        needs=task.needs,
        trigger=task.trigger,
        priority=task.priority,
        outputs={"value": "string"},
        timeout_s=timeout_s,
        spec={"default": DEFAULT} if default else {},
    )


def _without_lost_inputs(task: TaskDefinition, tasks: Mapping[str, TaskDefinition]) -> TaskDefinition:
    lost = any(tasks[need].type == APPROVAL for need in task.needs)
    return replace(task, params={}) if lost else task
