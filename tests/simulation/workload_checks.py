"""Owns the drawing of checks: of some tasks the outputs are looked at, and of some of those they are refused."""

from dataclasses import dataclass, replace
from random import Random
from typing import Any

from orchestrator.core.definition import TaskDefinition
from tests.simulation.plan import ALWAYS, Plan, PlannedRun, Script

OFTEN = 0.4
"""So many of the tasks that may have a check have one."""

ROWS = "rows"
"""The output that every check looks at: 1 if it is right, 0 if the script spoils it."""

ABSENT = "absent"
"""An output that tasks declare, and none gives."""

PLAIN = "${rows} > 0"
ELSEWHERE = "${rows} > ${least}"
"""Looks at a parameter of the task too, which no report carries."""

UNKNOWN = f"${{{ABSENT}}} > 0"
"""Cannot be worked out."""

CHECK_FAILED = "CheckFailed"


@dataclass(frozen=True, slots=True)
class _Drawn:
    task: TaskDefinition
    script: Script


def with_checks(plan: Plan, dice: Random) -> Plan:
    """Return the plan with checks on the outputs of some tasks, in equal runs on the same, of called ones too."""
    seed = dice.random()
    runs = tuple(_checked(run, seed) for run in plan.runs)
    children = {name: _checked(run, seed) for name, run in plan.children.items()}
    return replace(plan, runs=runs, children=children)


def is_refused(task: TaskDefinition) -> bool:
    """Return whether a task fails when its check does not hold (else people are told, and it goes on)."""
    return task.check is not None and task.check.get("on_false") != "alert"


def _checked(run: PlannedRun, seed: float) -> PlannedRun:
    dice = Random(f"{seed}:{run.definition.name}")
    scripts = dict(run.scripts)
    tasks = []
    for task in run.definition.tasks:
        if _may_be_checked(task) and dice.random() < OFTEN:
            drawn = _draw(task, scripts.get(task.name, Script()), dice)
            scripts[task.name] = drawn.script
            tasks.append(drawn.task)
        else:
            tasks.append(task)
    return replace(run, definition=replace(run.definition, tasks=tuple(tasks)), scripts=scripts)


def _may_be_checked(task: TaskDefinition) -> bool:
    """Whether a task gives outputs by its script, and fails by nothing but that and its check."""
    limits = (task.timeout_s, task.queue_timeout_s)
    return task.type == "noop" and not task.disabled and task.map_over is None and limits == (None, None)


def _draw(task: TaskDefinition, script: Script, dice: Random) -> _Drawn:
    kind = dice.choices((_holds, _refuses, _ends, _tells, _is_unknown), [30, 35, 10, 15, 10])[0]
    looking = replace(task, outputs={**task.outputs, ROWS: "integer"}, check=_expression(task, dice))
    if looking.check is not None and looking.check["expression"] == ELSEWHERE:
        looking = replace(looking, params={**task.params, "least": 0})
    return kind(looking, script, dice)


def _expression(task: TaskDefinition, dice: Random) -> dict[str, Any]:
    choices = [PLAIN, ELSEWHERE]
    given = str(task.params.get("given", ""))
    if given:
        choices.append(f'${{rows}} > 0 && ${{given}} == "{given[2:-1]}"')
    return {"expression": dice.choice(choices)}


def _holds(task: TaskDefinition, script: Script, _dice: Random) -> _Drawn:
    """Whatever its attempts come to, its outputs are right."""
    return _Drawn(task, script)


def _refuses(task: TaskDefinition, script: Script, dice: Random) -> _Drawn:
    """Some attempts give wrong outputs before one gives the right ones, or all do."""
    if not task.retries and dice.random() < 0.6:
        task = replace(task, retries=2, retry_delay_s=dice.choice([0.0, 1.0]))
    failures = dice.choice([dice.randint(1, task.retries + 1), ALWAYS])
    return _Drawn(task, replace(script, failures=failures, spoils=True))


def _ends(task: TaskDefinition, script: Script, _dice: Random) -> _Drawn:
    """There are retries, but not for outputs that are refused."""
    task = replace(task, retries=2, non_retryable=(CHECK_FAILED,))
    return _Drawn(task, replace(script, failures=ALWAYS, spoils=True))


def _tells(task: TaskDefinition, script: Script, dice: Random) -> _Drawn:
    """People are told of wrong outputs, and nothing else comes of them."""
    task = replace(task, check={**(task.check or {}), "on_false": "alert"})
    return _Drawn(task, replace(script, failures=0, spoils=dice.random() < 0.7))


def _is_unknown(task: TaskDefinition, script: Script, dice: Random) -> _Drawn:
    """The check cannot be worked out: a failure, also where people would only be told."""
    alert = {"on_false": "alert"} if dice.random() < 0.5 else {}
    outputs = {**task.outputs, ABSENT: "integer"}
    task = replace(task, outputs=outputs, check={"expression": UNKNOWN, **alert})
    return _Drawn(task, replace(script, failures=ALWAYS, spoils=True))
