"""Owns the drawing of sub-workflows: some tasks of a plan start runs of other workflows, which may do so too."""

from dataclasses import replace
from random import Random

from orchestrator.core.definition import TaskDefinition, WorkflowDefinition
from tests.simulation.plan import Plan, PlannedControl, PlannedRun, Script
from tests.simulation.workload_faults import LATEST_S
from tests.simulation.workload_graphs import draw_needs
from tests.simulation.workload_length import STEP_S, longest_way_s
from tests.simulation.workload_maps import element
from tests.simulation.workload_tasks import Mood, draw_tasks

CALLS = "sub_workflow"
"""The type of a task that starts a run of another workflow."""

OFTEN = 0.3
"""So many of the tasks that can call a workflow do."""

MOST_CALLS = 3
"""In one run; a map counts as one."""

WIDEST = 3
"""A map of more elements stays what it is."""

GRIPPED = 0.6
"""So many of the runs with calls are stopped, paused or recovered about when what they called runs."""

GRIPS = (
    ("stop",),
    ("stop", "recover"),
    ("pause", "resume"),
    ("pause", "stop"),
    ("pause", "stop", "recover"),
    ("hold", "release"),
    ("hold", "stop", "release"),
    ("recover",),
)

NESTED = 0.3
"""So often the workflow that is called calls another one itself."""


def with_children(plan: Plan, dice: Random, *, calm: bool) -> Plan:
    """Return the plan with calls of one or two workflows in the place of some tasks.

    Args:
        plan: Without sub-workflows.
        dice: Decides.
        calm: Nothing is to break.
    """
    inner, outer = _draw_child(dice, "c1", calm=calm), _draw_child(dice, "c0", calm=calm)
    children = {"c0": outer}
    if dice.random() < NESTED:
        children = {"c0": _calling(outer, {"c1": inner}, dice, 1.0), "c1": inner}
    runs = tuple(_calling(run, children, dice, OFTEN) for run in plan.runs)
    called = {task.spec["workflow"] for run in runs for task in run.definition.tasks if task.type == CALLS}
    return replace(plan, runs=runs, children=children) if called else plan


def draw_grips(plan: Plan, dice: Random) -> list[PlannedControl]:
    """Return what people do to runs that call others, about when those run: all of it has to reach them."""
    controls: list[PlannedControl] = []
    for position, run in enumerate(plan.runs):
        calls = [task.name for task in run.definition.tasks if task.type == CALLS]
        if calls and dice.random() < GRIPPED:
            at_s = run.submit_at_s + dice.uniform(0.05, longest_way_s(run))
            controls += _grip(dice, position, min(at_s, LATEST_S), dice.choice(calls))
    return controls


def _grip(dice: Random, position: int, at_s: float, call: str) -> list[PlannedControl]:
    kinds = dice.choice(GRIPS)
    pause_s = dice.choice([0.05, 1.0, 5.0])
    return [
        PlannedControl(
            at_s=round(at_s + number * pause_s, 3),
            run=position,
            kind=kind,
            task=call if kind in {"hold", "release"} else "",
        )
        for number, kind in enumerate(kinds)
    ]


def _draw_child(dice: Random, name: str, *, calm: bool) -> PlannedRun:
    mood = Mood(calm=calm, trouble=dice.choice([0.0, 0.2, 0.4, 0.7]))
    tasks, scripts = draw_tasks(dice, draw_needs(dice, dice.choices([1, 2, 3, 4], [40, 30, 20, 10])[0]), mood)
    return PlannedRun(definition=WorkflowDefinition(name=name, tasks=tasks), scripts=scripts)


def _calling(run: PlannedRun, children: dict[str, PlannedRun], dice: Random, often: float) -> PlannedRun:
    tasks, scripts = {task.name: task for task in run.definition.tasks}, dict(run.scripts)
    can = [name for name, task in tasks.items() if _can_call(task)]
    chosen = [name for name in can if dice.random() < often] or dice.sample(can, min(1, len(can)))
    for name in chosen[:MOST_CALLS]:
        called = dice.choice(sorted(children))
        _forget(scripts, name)
        scripts[name] = Script(takes_s=round(longest_way_s(children[called]) + STEP_S, 2))
        tasks[name] = _call(tasks[name], called)
    kept = tuple(_without_lost_inputs(task, tasks) for task in tasks.values())
    return replace(run, definition=replace(run.definition, tasks=kept), scripts=scripts)


def _can_call(task: TaskDefinition) -> bool:
    is_narrow = task.map_over is None or len(task.map_over) <= WIDEST
    return task.type == "noop" and not task.disabled and is_narrow


def _forget(scripts: dict[str, Script], name: str) -> None:
    for one in (name, *(element(name, index) for index in range(WIDEST))):
        scripts.pop(one, None)


def _call(task: TaskDefinition, called: str) -> TaskDefinition:
    """Return the task as a call: what only workers look at is gone, and its own time limit with it."""
    return replace(
        task, type=CALLS, spec={"workflow": called}, params={}, outputs={}, timeout_s=None, on_timeout="fail"
    )


def _without_lost_inputs(task: TaskDefinition, tasks: dict[str, TaskDefinition]) -> TaskDefinition:
    lost = any(tasks[need].type == CALLS for need in task.needs)
    return replace(task, params={}) if lost else task
