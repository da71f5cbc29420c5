"""Owns the drawing of words: what goes into the runs that tasks start, and comes back from them."""

from dataclasses import replace
from random import Random

from orchestrator.core.definition import ParameterDefinition, TaskDefinition, Trigger
from tests.simulation.plan import Plan, PlannedRun
from tests.simulation.workload_children import CALLS

WORD = "word"
"""The parameter of called workflows; who calls may give it, or declare it and so pass it on."""

HEARD = "${word}"
"""What their tasks are given."""

CALLER = "called by ${workflow_instance_id}"
"""A word that says who called."""

BACK = "value"
"""The output by which the word comes back."""


def with_words(plan: Plan, dice: Random) -> Plan:
    """Return the plan with a word that goes into every called run and comes back; in equal runs the same."""
    seed = dice.random()
    runs = tuple(_telling(run, _dice(seed, run)) for run in plan.runs)
    children = {
        name: _hearing(_telling(run, _dice(seed, run)), _dice(seed, run))
        for name, run in plan.children.items()
    }
    return replace(plan, runs=runs, children=children)


def _dice(seed: float, run: PlannedRun) -> Random:
    return Random(f"{seed}:{run.definition.name}")


def _telling(run: PlannedRun, dice: Random) -> PlannedRun:
    """Return the run with words for those that it calls, and tasks that are given what came back."""
    tasks = {task.name: task for task in run.definition.tasks}
    for task in tasks.values():
        if task.type == CALLS:
            told = dice.choice([{}, {WORD: f"{task.name} says so"}, {WORD: CALLER}])
            tasks[task.name] = replace(task, params=told, outputs={BACK: "string"})
    for task in tasks.values():
        if _may_be_given(task, tasks):
            tasks[task.name] = replace(task, params={"given": f"${{{task.needs[0]}.{BACK}}}"})
    definition = replace(run.definition, tasks=tuple(tasks.values()))
    if dice.random() < 0.5:
        definition = replace(definition, params={WORD: _declared(definition.name)})
    return replace(run, definition=definition)


def _hearing(run: PlannedRun, dice: Random) -> PlannedRun:
    """Return a called run whose tasks are given its word, which it says to its caller at its end."""
    tasks = tuple(
        replace(task, params={**task.params, "heard": HEARD})
        if task.type == "noop" and task.map_over is None and dice.random() < 0.7
        else task
        for task in run.definition.tasks
    )
    definition = replace(
        run.definition,
        tasks=tasks,
        params={WORD: _declared(run.definition.name)},
        outputs={BACK: HEARD},
    )
    return replace(run, definition=definition)


def _declared(name: str) -> ParameterDefinition:
    return ParameterDefinition(type="string", default=f"nobody told {name}")


def _may_be_given(task: TaskDefinition, tasks: dict[str, TaskDefinition]) -> bool:
    """Whether a task runs only when the one call that it needs has succeeded."""
    if task.type != "noop" or task.disabled or task.params or task.map_over is not None:
        return False
    if len(task.needs) != 1 or task.trigger is not Trigger.ALL_SUCCESS:
        return False
    need = tasks[task.needs[0]]
    return need.type == CALLS and need.map_over is None and not need.disabled
