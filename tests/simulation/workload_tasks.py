"""Owns the drawing of tasks: triggers, fates and the scripts that make them come true."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from orchestrator.core.definition import Priority, TaskDefinition, Trigger
from tests.simulation.plan import ALWAYS, Script
from tests.simulation.workload_graphs import Needs

GROUPS = ("default", "heavy")
"""The worker groups that definitions name."""

HOURS_S = 4 * 3600.0
"""A timeout that no outage brings near."""

DURATIONS_S = (0.05, 0.1, 0.2, 0.5, 0.5, 1.0, 1.0, 2.0, 3.0, 6.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mood:
    """How the tasks of one run are drawn.

    Attributes:
        calm: Nothing breaks around them, so that a short timeout can be left behind by a retry, too.
        trouble: From 0 to 1: how likely something but success comes over a task.
        heavy: Some tasks go to the second worker group.
    """

    calm: bool = False
    trouble: float = 0.4
    heavy: bool = False


@dataclass(slots=True)
class _Fate:
    """A task while it is drawn: fields of its definition and of its script."""

    task: dict[str, Any] = field(default_factory=dict)
    script: dict[str, Any] = field(default_factory=dict)


def draw_tasks(
    dice: Random, needs: Needs, mood: Mood
) -> tuple[tuple[TaskDefinition, ...], dict[str, Script]]:
    """Return a task for each position of `needs`, `t0`, `t1`, …, and the scripts of those that have one."""
    tasks: list[TaskDefinition] = []
    scripts: dict[str, Script] = {}
    for index, upstreams in enumerate(needs):
        fate = _Fate()
        _decorate(dice, fate, mood)
        _draw_fate(dice, fate, mood)
        fate.script["takes_s"] = dice.choice(DURATIONS_S)
        name = f"t{index}"
        tasks.append(
            TaskDefinition(
                name=name,
                type="noop",
                needs=tuple(f"t{number}" for number in upstreams),
                trigger=_trigger(dice, roots=not upstreams),
                **fate.task,
            )
        )
        scripts[name] = Script(**fate.script)
    if dice.random() < 0.3:
        tasks = pass_outputs_on(tasks)
    if dice.random() < 0.3:
        dice.shuffle(tasks)
    return tuple(tasks), scripts


def pass_outputs_on(tasks: Sequence[TaskDefinition]) -> list[TaskDefinition]:
    """Return the tasks with outputs and references to them, where no reference can be without its value.

    That is: from a task to the only one it needs, if it runs after success alone.
    """
    by_name = {task.name: replace(task, outputs={"value": "string"}) for task in tasks}
    for task in tasks:
        if len(task.needs) == 1 and task.trigger is Trigger.ALL_SUCCESS:
            (upstream,) = task.needs
            if not (by_name[upstream].disabled or task.disabled):
                params = {"given": f"${{{upstream}.value}}"}
                by_name[task.name] = replace(by_name[task.name], params=params)
    return list(by_name.values())


def _trigger(dice: Random, *, roots: bool) -> Trigger:
    if roots:
        return dice.choices([Trigger.ALL_SUCCESS, Trigger.ALL_DONE, Trigger.NONE_FAILED], [90, 6, 4])[0]
    return dice.choices(list(Trigger), [52, 12, 14, 12, 10])[0]


def _decorate(dice: Random, fate: _Fate, mood: Mood) -> None:
    """Draw what does not change how the task ends."""
    if dice.random() < 0.08:
        fate.task["disabled"] = True
    if dice.random() < 0.2:
        fate.task["priority"] = dice.choice(list(Priority))
    if mood.heavy and dice.random() < 0.3:
        fate.task["worker_group"] = GROUPS[1]
    if dice.random() < 0.06:
        fate.task["delay_s"] = round(dice.uniform(0.5, 5.0), 2)
    if dice.random() < 0.25:
        _draw_retries(dice, fate, dice.randint(1, 3))


def _draw_retries(dice: Random, fate: _Fate, retries: int) -> None:
    delay_s = dice.choice([0.0, 0.5, 1.0, 2.0, 5.0])
    fate.task.update(retries=retries, retry_delay_s=delay_s, retry_backoff=dice.choice([1.0, 1.0, 2.0]))
    if delay_s and dice.random() < 0.3:
        fate.task["max_retry_delay_s"] = delay_s


def _draw_fate(dice: Random, fate: _Fate, mood: Mood) -> None:
    """Draw what comes over the task."""
    if dice.random() >= mood.trouble:
        return
    fates = (_fails_sometimes, _fails, _hangs, _warns, _is_late, _defers, _is_rejected, _dies, _kills)
    dice.choices(fates, [24, 20, 7, 3, 4, 14, 13, 12, 3])[0](dice, fate, mood)


def _fails_sometimes(dice: Random, fate: _Fate, _mood: Mood) -> None:
    retries = dice.randint(1, 4)
    _draw_retries(dice, fate, retries)
    fate.script["failures"] = dice.randint(1, retries)
    if dice.random() < 0.2:
        _dies(dice, fate, _mood)
    if dice.random() < 0.2:
        _defers(dice, fate, _mood)


def _fails(dice: Random, fate: _Fate, _mood: Mood) -> None:
    fate.script["failures"] = fate.task.get("retries", 0) + 1 if dice.random() < 0.3 else ALWAYS


def _hangs(dice: Random, fate: _Fate, mood: Mood) -> None:
    """Hang until the timeout; where things break, a later try could run into it, so that there is none."""
    fate.task["timeout_s"] = float(dice.randint(8, 15))
    fate.script.update(hangs=True, failures=ALWAYS)
    if mood.calm and dice.random() < 0.5:
        _draw_retries(dice, fate, 2)
        fate.script["failures"] = dice.randint(1, 2)


def _warns(dice: Random, fate: _Fate, _mood: Mood) -> None:
    fate.task.update(timeout_s=round(dice.uniform(0.5, 4.0), 1), on_timeout="warn")


def _is_late(_dice: Random, fate: _Fate, _mood: Mood) -> None:
    fate.task["timeout_s"] = HOURS_S


def _defers(dice: Random, fate: _Fate, _mood: Mood) -> None:
    fate.script.update(deferrals=dice.randint(1, 3), defer_s=round(dice.uniform(0.5, 5.0), 2))


def _is_rejected(dice: Random, fate: _Fate, _mood: Mood) -> None:
    fate.script["rejects"] = dice.randint(1, 3)


def _dies(dice: Random, fate: _Fate, _mood: Mood) -> None:
    fate.script["deaths"] = dice.choice([1, 1, 2])


def _kills(_dice: Random, fate: _Fate, _mood: Mood) -> None:
    fate.script["deaths"] = ALWAYS
