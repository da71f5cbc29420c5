"""Owns the shapes in which something rare must come at its moment: each brings the faults that make it come."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from orchestrator.core.definition import TaskDefinition, WorkflowDefinition
from tests.simulation.plan import Plan, PlannedFault, PlannedRun, PlannedWorker, Script

OVERDUE_S = 15.0
"""Behind a task's timeout its master ends it although its worker says nothing: five seconds and a re-send."""

TRIES = (13, 19)
"""So often, about once a second, does a worker send its reports in vain."""

STALL = "loop_stalls"
"""The kind of fault that only close calls have."""

STILL_S = (3.0, 6.0)
"""So long does the master's loop stand still about then, in seconds: reports and timers come in one batch."""

OF_REPORTS = 0.75
"""The dice that aim at a report: see `network_aims.AIMS`."""


def rewind(seed: int, *, small: bool) -> Plan:
    """Return a busy worker under which Redis comes back with messages that have been carried out.

    Short tasks stand before a long one: while it runs, Redis restarts as it was when the short ones waited. Who
    takes their messages again is asked when the long one has ended and masters have noticed, or at once, by
    another child.
    """
    dice = Random(f"{seed}:rewind")
    tasks: list[TaskDefinition] = []
    scripts: dict[str, Script] = {}
    faults: list[PlannedFault] = []
    began_s = 0.1
    capacity = dice.choice([1, 2])
    for block in range(2 if small else 10):
        names = [f"short{block}_{number}" for number in range(dice.randint(3, 5))]
        short_s, long_s = dice.uniform(0.2, 0.5), dice.uniform(4.0, 7.0)
        gate = (f"long{block - 1}",) if block else ()
        tasks += [TaskDefinition(name=name, type="noop", needs=gate) for name in names]
        tasks.append(TaskDefinition(name=f"long{block}", type="noop", needs=tuple(names)))
        scripts |= {name: Script(takes_s=short_s) for name in names}
        scripts[f"long{block}"] = Script(takes_s=long_s)
        busy_s = short_s * len(names) / capacity
        late_s = dice.uniform(0.3, 2.0)
        faults.append(
            PlannedFault(
                at_s=began_s + busy_s + late_s,
                kind="redis_lost_seconds",
                seconds=dice.uniform(0.05, 0.5),
                pick=min((late_s + dice.uniform(0.2, 0.9) * busy_s) / 6.0, 0.99),
            )
        )
        began_s += busy_s + long_s + 1.0
    return _plan(seed, "rewind", tasks, scripts, faults, PlannedWorker(name="w1", capacity=capacity))


def close_call(seed: int, *, small: bool) -> Plan:
    """Return tasks that end just before their timeout, and whose reports get lost until masters would end them.

    Their worker sends them again and again, and one of them comes through just about when masters would end the
    attempts for their silence: those that stand in the stream by then count. The master's loop is busy meanwhile,
    and finds both.
    """
    dice = Random(f"{seed}:close_call")
    number = 4 if small else 16
    ends_s = dice.uniform(2.0, 6.0)
    tasks = [
        TaskDefinition(name=f"t{index}", type="noop", timeout_s=round(ends_s + 0.3 * (1 + index % 8), 2))
        for index in range(number)
    ]
    scripts = {task.name: Script(takes_s=ends_s) for task in tasks}
    lost = [
        PlannedFault(at_s=ends_s - 1.0, kind="command_lost", pick=OF_REPORTS)
        for _ in range(number + dice.randint(*TRIES))
    ]
    busy = [
        PlannedFault(
            at_s=ends_s + OVERDUE_S + dice.uniform(-1.0, 3.0), kind="event_replayed_late", pick=dice.random()
        )
        for _ in range(10)
    ]
    still = PlannedFault(
        at_s=ends_s + OVERDUE_S - dice.uniform(0.0, 1.0), kind=STALL, seconds=dice.uniform(*STILL_S)
    )
    faults = [*lost, *busy, still]
    plan = _plan(seed, "close_call", tasks, scripts, faults, PlannedWorker(name="w1", capacity=number))
    return replace(plan, lag_s=dice.choice([1.0, 2.0]))


def _plan(
    seed: int,
    name: str,
    tasks: Sequence[TaskDefinition],
    scripts: dict[str, Script],
    faults: Sequence[PlannedFault],
    worker: PlannedWorker,
) -> Plan:
    definition = WorkflowDefinition(name=name, tasks=tuple(tasks))
    in_order = tuple(sorted(faults, key=lambda one: one.at_s))
    run = PlannedRun(definition=definition, scripts=scripts)
    return Plan(seed=seed, runs=(run,), workers=(worker,), faults=in_order)
