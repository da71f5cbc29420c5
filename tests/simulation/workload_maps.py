"""Owns the drawing of maps: some tasks of a plan run once for each element of a list."""

from dataclasses import replace
from random import Random

from orchestrator.core.definition import TaskDefinition
from tests.simulation.plan import Plan, PlannedRun, Script

OFTEN = 0.3
"""So many of the tasks that can be maps are."""

MOST_MAPS = 4
SIZES = (0, 1, 2, 3, 3, 5, 8)


def with_maps(plan: Plan, dice: Random) -> Plan:
    """Return the plan with maps in the place of some tasks; some of their elements do what the task did."""
    return replace(plan, runs=tuple(_mapped(run, dice) for run in plan.runs))


def element(name: str, index: int) -> str:
    """Return the name of an element's task."""
    return f"{name}[{index}]"


def map_of(name: str) -> str:
    """Return the node that a task name belongs to: an element's map, else the task itself."""
    return name.partition("[")[0]


def scripts_of(run: PlannedRun, task: TaskDefinition) -> list[Script]:
    """Return what a task does; of a map, what each of its elements does."""
    names = [task.name] if task.map_over is None else _elements(task)
    return [run.scripts.get(name, Script()) for name in names]


def _elements(task: TaskDefinition) -> list[str]:
    return [element(task.name, index) for index in range(len(task.map_over))]


def _mapped(run: PlannedRun, dice: Random) -> PlannedRun:
    scripts = dict(run.scripts)
    tasks = []
    left = MOST_MAPS
    for task in run.definition.tasks:
        chosen = left and task.type == "noop" and not task.disabled and dice.random() < OFTEN
        left -= bool(chosen)
        tasks.append(_as_map(task, scripts, dice) if chosen else task)
    return replace(run, definition=replace(run.definition, tasks=tuple(tasks)), scripts=scripts)


def _as_map(task: TaskDefinition, scripts: dict[str, Script], dice: Random) -> TaskDefinition:
    total = dice.choice(SIZES)
    own = scripts.pop(task.name, Script())
    for index in range(total):
        like_the_task = dice.random() < 0.5 or own.hangs  # a short timeout is for what hangs
        scripts[element(task.name, index)] = own if like_the_task else Script(takes_s=own.takes_s)
    return replace(task, map_over=list(range(total)), max_parallel=dice.choice([None, None, 1, 2, 3]))
