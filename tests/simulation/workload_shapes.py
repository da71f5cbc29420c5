"""Owns the shapes that hurt: each a plan by name, in full size or small."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random
from typing import Any

from orchestrator.core.definition import OnFailure, TaskDefinition, Trigger, WorkflowDefinition
from tests.simulation.plan import (
    ALWAYS,
    Plan,
    PlannedControl,
    PlannedFault,
    PlannedRun,
    PlannedWorker,
    Script,
)
from tests.simulation.workload_moments import close_call, rewind

SMALL = 12
"""About so many tasks has the small version of a shape."""


def wide_join(seed: int, *, small: bool) -> Plan:
    """Return a fan whose 40 tasks take equally long, so that many end in one batch, before one join each way."""
    width = 8 if small else 40
    middle = [f"m{number}" for number in range(width)]
    tasks = [
        _task("root"),
        *(_task(name, "root") for name in middle),
        *(_task(f"join_{trigger}", *middle, trigger=trigger) for trigger in Trigger),
        _task("end", *(f"join_{trigger}" for trigger in Trigger), trigger=Trigger.ALL_DONE),
    ]
    scripts = {name: Script(takes_s=0.5) for name in middle}
    if seed % 2:
        scripts[middle[seed % width]] = Script(takes_s=0.5, failures=ALWAYS)
    return _plan(seed, [_run("wide_join", tasks, scripts)], (PlannedWorker(name="w1", capacity=width),))


def chain(seed: int, *, small: bool) -> Plan:
    """Return a chain of 2,000 tasks."""
    length = SMALL * 2 if small else 2_000
    tasks = [_task(f"t{number}", *_before(number)) for number in range(length)]
    scripts = {task.name: Script(takes_s=0.01) for task in tasks}
    return _plan(seed, [_run("chain", tasks, scripts)])


def killer(seed: int, *, small: bool) -> Plan:
    """Return tasks that always kill their child, among healthy ones; some stand before a clean-up."""
    number = 2 if small else 6
    tasks: list[TaskDefinition] = []
    for index in range(number):
        tasks += [
            _task(f"killer{index}", retries=index % 2, retry_delay_s=0.5),
            _task(f"beside{index}"),
            _task(f"behind{index}", f"killer{index}", f"beside{index}"),
            _task(f"cleanup{index}", f"behind{index}", trigger=Trigger.ALL_DONE),
        ]
    scripts = {f"killer{index}": Script(takes_s=0.4, deaths=ALWAYS) for index in range(number)}
    return _plan(seed, [_run("killer", tasks, scripts)])


def worker_killer(seed: int, *, small: bool) -> Plan:
    """Return a task under which the only worker dies again and again, in the end too often if seed is odd."""
    times = 3 if small else 13 if seed % 2 else 8
    faults = tuple(
        PlannedFault(at_s=2.0 + 4.0 * number, kind="worker_killed", seconds=0.5) for number in range(times)
    )
    tasks = [_task("victim"), _task("behind", "victim"), _task("cleanup", "behind", trigger=Trigger.ALL_DONE)]
    worker = PlannedWorker(name="w1", capacity=1)
    run = _run("worker_killer", tasks, {"victim": Script(takes_s=8.0)})
    return _plan(seed, [run], (worker,), faults=faults)


def wires(seed: int, *, small: bool) -> Plan:
    """Return layers of which every second one is disabled: each task depends on all of two layers above it."""
    depth, width = (4, 2) if small else (12, 5)
    tasks = [
        _task(
            f"t{layer}_{number}",
            *(f"t{layer - 1}_{before}" for before in range(width) if layer),
            disabled=layer % 2 == 1,
        )
        for layer in range(depth)
        for number in range(width)
    ]
    failing = f"t{depth // 2 // 2 * 2}_0"
    return _plan(seed, [_run("wires", tasks, {failing: Script(failures=ALWAYS if seed % 3 == 0 else 0)})])


def diamonds(seed: int, *, small: bool) -> Plan:
    """Return a chain of diamonds, so that every third task is a join of two that end together."""
    number = 4 if small else 40
    tasks = [_task("j0")]
    for index in range(number):
        tasks += [
            _task(f"a{index}", f"j{index}"),
            _task(f"b{index}", f"j{index}"),
            _task(f"j{index + 1}", f"a{index}", f"b{index}"),
        ]
    return _plan(seed, [_run("diamonds", tasks, {task.name: Script(takes_s=0.1) for task in tasks})])


def retry_storm(seed: int, *, small: bool) -> Plan:
    """Return many tasks that fail together and are tried again together."""
    number = 6 if small else 50
    tasks = [_task(f"t{index}", retries=3, retry_delay_s=2.0) for index in range(number)]
    tasks.append(_task("join", *(task.name for task in tasks), trigger=Trigger.NONE_FAILED))
    scripts = {f"t{index}": Script(takes_s=0.2, failures=index % 5) for index in range(number)}
    return _plan(seed, [_run("retry_storm", tasks, scripts)])


def end_race(seed: int, *, small: bool) -> Plan:
    """Return a run with `on_failure: end` in which several tasks fail together while others run and wait."""
    number = 3 if small else 15
    tasks, scripts = [_task("root")], {}
    for index in range(number):
        name = f"t{index}"
        tasks += [
            _task(name, "root", retries=index % 3, retry_delay_s=1.0),
            _task(f"late{index}", "root", delay_s=1.0 + index),
            _task(f"behind{index}", name),
            _task(f"cleanup{index}", f"behind{index}", trigger=Trigger.ALL_DONE),
        ]
        scripts[name] = Script(takes_s=0.5 + index % 2, failures=(0, ALWAYS, 1)[index % 3])
    return _plan(seed, [_run("end_race", tasks, scripts, on_failure=OnFailure.END)])


def pause_storm(seed: int, *, small: bool) -> Plan:
    """Return a run that is paused and resumed all the time, with retries, delays and deferrals under way."""
    number = 4 if small else 16
    tasks = [
        _task(f"t{index}", *_before(index), retries=2, retry_delay_s=1.0, delay_s=float(index % 2))
        for index in range(number)
    ]
    scripts = {f"t{index}": Script(failures=index % 3, deferrals=index % 2) for index in range(number)}
    dice = Random(f"{seed}:pause_storm")
    moments = sorted(round(dice.uniform(0.0, 5.0 * number), 2) for _ in range(2 * number))
    controls = tuple(
        PlannedControl(at_s=at_s, run=0, kind=("pause", "resume")[position % 2])
        for position, at_s in enumerate(moments)
    )
    return _plan(seed, [_run("pause_storm", tasks, scripts)], controls=controls)


def reject_storm(seed: int, *, small: bool) -> Plan:
    """Return tasks that are given back several times before a worker takes them."""
    number = 4 if small else 25
    tasks = [_task(f"t{index}") for index in range(number)]
    scripts = {task.name: Script(rejects=1 + index % 4) for index, task in enumerate(tasks)}
    workers = (PlannedWorker(name="w1"), PlannedWorker(name="w2"))
    return _plan(seed, [_run("reject_storm", tasks, scripts)], workers)


def twice(seed: int, *, small: bool) -> Plan:
    """Return reports that come twice while nothing can be committed, before Redis or the master is lost."""
    number = 4 if small else 30
    dice = Random(f"{seed}:twice")
    began_s = dice.uniform(0.2, 1.5)
    away_s = dice.uniform(0.5, 4.0)
    kinds = dice.choices(["event_duplicated", "event_replayed_late"], [3, 1], k=4 * number)
    faults = [PlannedFault(at_s=began_s, kind="database_away", seconds=away_s)]
    faults += [
        PlannedFault(at_s=began_s + dice.uniform(0.0, away_s + 0.3), kind=kind, pick=dice.random())
        for kind in kinds
    ]
    loss = dice.choice(["redis_wiped", "redis_flushed", "redis_lost_seconds", "master_killed"])
    lost_at_s = began_s + away_s * dice.uniform(0.4, 1.2)
    faults.append(PlannedFault(at_s=lost_at_s, kind=loss, seconds=dice.uniform(0.1, 1.0), pick=dice.random()))
    tasks = [_task(f"t{index}", *_before(index % 3)) for index in range(number)]
    scripts = {task.name: Script(takes_s=dice.uniform(0.05, 1.0)) for task in tasks}
    plan = _plan(
        seed, [_run("twice", tasks, scripts)], faults=tuple(sorted(faults, key=lambda one: one.at_s))
    )
    return replace(plan, lag_s=0.3)


def queue(seed: int, *, small: bool) -> Plan:
    """Return many tasks for a worker that does one at a time: messages always wait, and some come to harm."""
    number = SMALL if small else 60
    dice = Random(f"{seed}:queue")
    tasks = [_task(f"t{index}", retries=index % 2, retry_delay_s=0.5) for index in range(number)]
    tasks.append(_task("join", *(task.name for task in tasks), trigger=Trigger.ALL_DONE))
    scripts = {
        f"t{index}": Script(takes_s=dice.choice([0.5, 1.0, 2.0]), failures=index % 2)
        for index in range(number)
    }
    faults = [
        PlannedFault(
            at_s=dice.uniform(0.0, 1.5 * number),
            kind=dice.choice(["message_lost", "message_duplicated", "message_late", "reply_lost"]),
            seconds=dice.uniform(0.5, 40.0),
            pick=dice.random(),
        )
        for _ in range(number // 3)
    ]
    worker = PlannedWorker(name="w1", capacity=1)
    in_order = tuple(sorted(faults, key=lambda one: one.at_s))
    return _plan(seed, [_run("queue", tasks, scripts)], (worker,), faults=in_order)


Shape = Callable[..., Plan]

SHAPES: Mapping[str, Shape] = {
    "wide_join": wide_join,
    "chain": chain,
    "killer": killer,
    "worker_killer": worker_killer,
    "wires": wires,
    "diamonds": diamonds,
    "retry_storm": retry_storm,
    "end_race": end_race,
    "pause_storm": pause_storm,
    "reject_storm": reject_storm,
    "twice": twice,
    "queue": queue,
    "rewind": rewind,
    "close_call": close_call,
}
"""Every shape by its name."""

OFTEN = (*(name for name in SHAPES if name not in {"twice", "rewind", "close_call"}), "queue", "queue")
"""The shapes that plans are drawn of, `queue` more often than others; the rest has shares of its own."""


def _task(name: str, *needs: str, **fields: Any) -> TaskDefinition:
    return TaskDefinition(name=name, type="noop", needs=needs, **fields)


def _before(number: int) -> tuple[str, ...]:
    return (f"t{number - 1}",) if number else ()


def _run(name: str, tasks: list[TaskDefinition], scripts: Mapping[str, Script], **fields: Any) -> PlannedRun:
    return PlannedRun(definition=WorkflowDefinition(name=name, tasks=tuple(tasks), **fields), scripts=scripts)


def _plan(
    seed: int,
    runs: list[PlannedRun],
    workers: tuple[PlannedWorker, ...] = (PlannedWorker(name="w1", capacity=4),),
    **fields: Any,
) -> Plan:
    return Plan(seed=seed, runs=tuple(runs), workers=workers, **fields)
