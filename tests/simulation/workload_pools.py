"""Owns the drawing of pools: slots that tasks share, people who resize them, deaths beside grants."""

from collections.abc import Mapping
from dataclasses import replace
from random import Random

from tests.simulation.plan import Plan, PlannedFault, PlannedResize, PlannedRun
from tests.simulation.workload_faults import Kind, in_order
from tests.simulation.workload_length import length_s

NAMES = ("few", "fewer")

SHARE = 0.5
"""So many of the tasks of such a plan need a slot."""

RESIZED = 0.4
"""So many of the pools are made smaller and bigger."""

CRASHED = 0.5
"""In so many of the plans with faults a master dies where slots change hands."""

POOL_KINDS: Mapping[str, Kind] = {
    "master_crash_pool_before_flush": Kind(),
    "master_crash_pool_after_flush": Kind(),
    "master_crash_pool_after_commit": Kind(),
}
"""Kinds of faults that hit nobody where there are no pools; what each does stands in `faults`."""


def with_pools(plan: Plan, dice: Random, *, calm: bool) -> Plan:
    """Return the plan with pools of few slots, which some of its tasks need.

    Args:
        plan: Without pools.
        dice: Decides.
        calm: Nothing is to break.
    """
    pools = {name: dice.choice([1, 1, 2, 3]) for name in NAMES[: dice.randint(1, 2)]}
    runs = tuple(_pooled(run, tuple(pools), dice) for run in plan.runs)
    long_s = length_s(plan)
    resizes = [one for name in pools if dice.random() < RESIZED for one in _resizes(name, dice, long_s)]
    faults: list[PlannedFault] = [*plan.faults]
    if not calm and dice.random() < CRASHED:
        faults += [_death(dice, long_s) for _ in range(dice.randint(1, 3))]
    return replace(
        plan,
        runs=runs,
        pools=pools,
        resizes=tuple(sorted(resizes, key=lambda one: one.at_s)),
        faults=in_order(faults),
    )


def _pooled(run: PlannedRun, names: tuple[str, ...], dice: Random) -> PlannedRun:
    tasks = tuple(
        replace(task, pool=dice.choice(names)) if task.type == "noop" and dice.random() < SHARE else task
        for task in run.definition.tasks
    )
    return replace(run, definition=replace(run.definition, tasks=tasks))


def _resizes(name: str, dice: Random, long_s: float) -> list[PlannedResize]:
    """Return changes of one pool; after the last one it has slots."""
    times = sorted(round(dice.uniform(0.0, long_s), 3) for _ in range(dice.randint(1, 3)))
    sizes = [dice.randint(0, 4) for _ in times[:-1]]
    return [
        PlannedResize(at_s=at_s, pool=name, slots=slots)
        for at_s, slots in zip(times, [*sizes, dice.randint(1, 3)], strict=True)
    ]


def _death(dice: Random, long_s: float) -> PlannedFault:
    kind = dice.choice(tuple(POOL_KINDS))
    return PlannedFault(at_s=round(dice.uniform(0.0, long_s), 3), kind=kind, pick=round(dice.random(), 6))
