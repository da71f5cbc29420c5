"""Owns the drawing of queue timeouts: some tasks of a plan are given up when no worker starts them in time."""

from dataclasses import replace
from random import Random

from orchestrator.core.definition import TaskDefinition
from tests.simulation.plan import Plan, PlannedRun, Script

OFTEN = 0.4
"""So many of the tasks that may have a queue timeout have one."""

LIMITS_S = (0.5, 2.0, 5.0)


def with_queue_timeouts(plan: Plan, dice: Random) -> Plan:
    """Return the plan with queue timeouts on tasks whose script lets them succeed, in equal runs on the same."""
    seed = dice.random()
    return replace(
        plan, runs=tuple(_limited(run, Random(f"{seed}:{run.definition.name}")) for run in plan.runs)
    )


def _limited(run: PlannedRun, dice: Random) -> PlannedRun:
    tasks = tuple(
        replace(task, queue_timeout_s=dice.choice(LIMITS_S))
        if _may_have_one(run, task) and dice.random() < OFTEN
        else task
        for task in run.definition.tasks
    )
    return replace(run, definition=replace(run.definition, tasks=tasks))


def _may_have_one(run: PlannedRun, task: TaskDefinition) -> bool:
    """Whether every failure is its queue's: a script counts failed attempts, and cannot tell them apart."""
    healthy = run.scripts.get(task.name, Script()).failures == 0
    return task.type == "noop" and not task.disabled and task.map_over is None and healthy
