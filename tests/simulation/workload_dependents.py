"""Owns the drawing of dependent tasks: some tasks of a plan wait for runs of another workflow, by planned time."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from orchestrator.core.definition import TaskDefinition, WorkflowDefinition
from tests.simulation.plan import ALWAYS, Plan, PlannedControl, PlannedRun, Script
from tests.simulation.workload_graphs import draw_needs
from tests.simulation.workload_tasks import Mood, draw_tasks

DEPENDENT = "dependent"
"""The type of a task that waits for runs of other workflows."""

AWAITED = "d0"
"""The workflow that is waited for."""

NOBODY = "d1"
"""A workflow that never runs."""

OFTEN = 0.3
"""So many of the tasks that can wait for other runs do."""

MOST_DEPENDENTS = 2
"""In one workflow."""

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOON = datetime(2024, 5, 15, 12, tzinfo=UTC)
MIDNIGHT = NOON - 12 * HOUR
LOOKS_FROM = NOON + HOUR / 2
"""The planned time of the runs that wait: half past noon of a Wednesday."""

WINDOWS: Mapping[str, tuple[datetime, ...]] = {
    "current_hour": (NOON,),
    "last_1_hour": (NOON - HOUR,),
    "last_2_hours": (NOON - 2 * HOUR, NOON - HOUR),
    "today": (MIDNIGHT,),
    "last_1_day": (MIDNIGHT - DAY,),
    "last_2_days": (MIDNIGHT - 2 * DAY, MIDNIGHT - DAY),
    "this_week": (MIDNIGHT - 2 * DAY, MIDNIGHT - DAY, MIDNIGHT),
    "last_monday": (MIDNIGHT - 9 * DAY,),
}
"""Each window, and when its slots begin, seen from `LOOKS_FROM`."""

COVERED = 0.9
"""So many of the slots have a run."""

AGAIN = 0.3
"""So many of those have another one; and so many plans have one that is just outside."""

AS_DRAWN = 0.5
"""So many of the runs that are waited for do what tasks do elsewhere; the others end soon."""

BOTHERED = 0.35
"""So many of the runs that are waited for are recovered, rerun, stopped or paused."""

WAITS_S = (1.0, 5.0, 20.0)


def with_dependents(plan: Plan, dice: Random) -> Plan:
    """Return the plan with tasks that wait for runs of one more workflow, and with those runs.

    Args:
        plan: Without dependent tasks.
        dice: Decides.
    """
    window = dice.choice(sorted(WINDOWS))
    group = _served_group(plan)
    awaited = _draw_awaited(dice, window, group)
    covered = {run.planned_time for run in awaited}.issuperset(WINDOWS[window])
    seed = dice.random()
    runs = tuple(
        _waiting(run, window, covered=covered, dice=Random(f"{seed}:{run.definition.name}"))
        for run in plan.runs
    )
    if not any(task.type == DEPENDENT for run in runs for task in run.definition.tasks):
        return plan
    controls = [*plan.controls]
    for position, run in enumerate(awaited, start=len(runs)):
        controls += _draw_controls(dice, position, run)
    in_time = sorted(controls, key=lambda control: control.at_s)
    return replace(plan, runs=(*runs, *awaited), controls=tuple(in_time))


def slot_s(window: str) -> timedelta:
    """Return how long a slot of a window is."""
    return HOUR if "hour" in window else DAY


def _served_group(plan: Plan) -> str:
    """Return the first run's group if somebody serves it: its tasks may all name another."""
    group, served = plan.runs[0].definition.worker_group, plan.workers[0].groups
    return group if group in served else served[0]


def _draw_awaited(dice: Random, window: str, group: str) -> list[PlannedRun]:
    """Return the runs that are waited for, and perhaps one that no window reaches, though it almost does."""
    mood = Mood(calm=False, trouble=dice.choice([0.0, 0.4, 0.7]))
    tasks, scripts = draw_tasks(dice, draw_needs(dice, dice.choice([1, 1, 2])), mood)
    definition = WorkflowDefinition(name=AWAITED, tasks=tasks, worker_group=group)
    begins = [begin for begin in WINDOWS[window] if dice.random() < COVERED]
    begins += [begin for begin in begins if dice.random() < AGAIN]
    if dice.random() < AGAIN:
        slots = WINDOWS[window]
        begins.append(dice.choice([slots[0] - timedelta(seconds=1), slots[-1] + slot_s(window)]))
    return [
        PlannedRun(
            definition=definition,
            scripts=scripts if dice.random() < AS_DRAWN else _otherwise(scripts, dice),
            submit_at_s=round(dice.choice([0.0, 1.0, 8.0]) * dice.random(), 2),
            planned_time=begin,
        )
        for begin in begins
    ]


def _otherwise(scripts: Mapping[str, Script], dice: Random) -> Mapping[str, Script]:
    """Return scripts by which a run ends at once, well or not: what counts in a slot depends on who was last.

    What hangs has a time limit that healthy tasks are not to have: it stays what it is.
    """
    fates = {name: Script(takes_s=0.2, failures=dice.choice([0, ALWAYS])) for name in scripts}
    return {name: script if script.hangs else fates[name] for name, script in scripts.items()}


def _draw_controls(dice: Random, position: int, run: PlannedRun) -> list[PlannedControl]:
    if dice.random() >= BOTHERED:
        return []
    at_s = run.submit_at_s + dice.choice([0.001, 8.0]) * dice.random()
    kinds = dice.choice(
        [("recover",), ("recover",), ("rerun",), ("stop",), ("stop", "recover"), ("pause", "resume")]
    )
    return [
        PlannedControl(at_s=round(at_s + 2.0 * number, 3), run=position, kind=kind)
        for number, kind in enumerate(kinds)
    ]


def _waiting(run: PlannedRun, window: str, *, covered: bool, dice: Random) -> PlannedRun:
    tasks = {task.name: task for task in run.definition.tasks}
    can = [name for name, task in tasks.items() if _can_wait(task)]
    chosen = [name for name in can if dice.random() < OFTEN] or dice.sample(can, min(1, len(can)))
    scripts = dict(run.scripts)
    for name in chosen[:MOST_DEPENDENTS]:
        tasks[name] = _dependent(tasks[name], window, covered=covered, dice=dice)
        scripts[name] = Script(takes_s=2.0)
    kept = tuple(_without_lost_inputs(task, tasks) for task in tasks.values())
    definition = replace(run.definition, tasks=kept)
    return replace(run, definition=definition, scripts=scripts, planned_time=LOOKS_FROM)


def _can_wait(task: TaskDefinition) -> bool:
    return task.type == "noop" and not task.disabled and task.map_over is None


def _dependent(task: TaskDefinition, window: str, *, covered: bool, dice: Random) -> TaskDefinition:
    items: list[dict[str, Any]] = [{"workflow": AWAITED, "window": window}]
    if dice.random() < 0.5:
        items[0]["task"] = "t0"
    group = dice.choice(["all", "any"])
    if dice.random() < 0.4:
        items.append(_another(dice, window))
    spec: dict[str, Any] = {group: items, "check_every": dice.choice([1.0, 2.0])}
    if dice.random() < 0.4:
        spec["on_missing"] = "fail"
    may_wait_for_ever = covered and _names(items) == {AWAITED}
    if not may_wait_for_ever or dice.random() < 0.4:
        spec["wait"] = dice.choice(WAITS_S)
    return TaskDefinition(
        name=task.name,
        type=DEPENDENT,
        needs=task.needs,
        trigger=task.trigger,
        priority=task.priority,
        spec=spec,
    )


def _another(dice: Random, window: str) -> dict[str, Any]:
    """Return one more thing to wait for: nothing, the task, or both in a group of their own."""
    nobody = {"workflow": NOBODY, "window": window}
    task = {"workflow": AWAITED, "task": "t0", "window": window}
    return dice.choice([nobody, task, {"any": [nobody, task]}, {"all": [nobody, task]}])


def _names(items: Sequence[Mapping[str, Any]]) -> set[str]:
    found: set[str] = set()
    for item in items:
        found |= {item["workflow"]} if "workflow" in item else _names(item.get("all") or item["any"])
    return found


def _without_lost_inputs(task: TaskDefinition, tasks: Mapping[str, TaskDefinition]) -> TaskDefinition:
    lost = any(tasks[need].type == DEPENDENT for need in task.needs)
    return replace(task, params={}) if lost else task
