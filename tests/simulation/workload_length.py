"""Owns the estimate of how long a plan takes if nothing goes wrong: over so much time its faults are spread."""

from graphlib import TopologicalSorter

from orchestrator.core.definition import TaskDefinition
from tests.simulation.plan import Plan, PlannedRun, Script

STEP_S = 0.05
"""Between the end of a task and the beginning of what it unblocks, about."""


def length_s(plan: Plan) -> float:
    """Return about how many seconds pass until the last run has ended."""
    capacity = sum(worker.capacity for worker in plan.workers)
    work_s = sum(_task_s(task, _script(run, task)) for run in plan.runs for task in run.definition.tasks)
    return max(work_s / capacity, *(run.submit_at_s + longest_way_s(run) for run in plan.runs))


def longest_way_s(run: PlannedRun) -> float:
    """Return the seconds that the tasks on the longest way through a run take."""
    ends_s: dict[str, float] = {}
    tasks = {task.name: task for task in run.definition.tasks}
    for name in TopologicalSorter({task.name: task.needs for task in tasks.values()}).static_order():
        task = tasks[name]
        begins_s = max((ends_s[need] for need in task.needs), default=0.0)
        ends_s[task.name] = (
            begins_s + _waiting_s(task, _script(run, task)) + _task_s(task, _script(run, task))
        )
    return max(ends_s.values(), default=0.0)


def _waiting_s(task: TaskDefinition, script: Script) -> float:
    """Return the time in which a task is not run: its delay, and those of its retries and deferrals."""
    tries = min(script.failures, task.retries)
    return task.delay_s + tries * task.retry_delay_s + script.deferrals * script.defer_s + STEP_S


def _task_s(task: TaskDefinition, script: Script) -> float:
    """Return the time that a task takes on a worker, over all its tries."""
    failing_s = (task.timeout_s or 0.0) if script.hangs else script.takes_s
    failures = min(script.failures, task.retries + 1)
    succeeds = failures <= task.retries
    return 0.0 if task.disabled else failures * failing_s + succeeds * script.takes_s


def _script(run: PlannedRun, task: TaskDefinition) -> Script:
    return run.scripts.get(task.name, Script())
