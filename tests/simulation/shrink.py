"""Owns shrinking: a plan that fails is made smaller as long as it still fails."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from tests.simulation.plan import Plan, PlannedRun
from tests.simulation.workload_dependents import AWAITED

T = TypeVar("T")
Fails = Callable[[Plan], bool]


def shrink(plan: Plan, fails: Fails, most: int = 400) -> Plan:
    """Return a smaller plan that fails too, trying at most `most` plans.

    Args:
        plan: One that fails.
        fails: Tries a plan.
        most: How many tries it may take.
    """
    budget = _Budget(fails, most)
    before: Plan | None = None
    while before != plan and budget.left:
        before = plan
        plan = _fewer_faults(plan, budget)
        plan = _fewer_controls(plan, budget)
        plan = _fewer_touches(plan, budget)
        plan = _fewer_runs(plan, budget)
        plan = _fewer_tasks(plan, budget)
    return plan


class _Budget:
    """Tries plans while there is something left of the budget."""

    def __init__(self, fails: Fails, left: int) -> None:
        self._fails = fails
        self.left = left

    def fails(self, plan: Plan) -> bool:
        """Return whether a plan fails; `False` when the budget is used up."""
        if not self.left:
            return False
        self.left -= 1
        return self._fails(plan)


def _fewer_faults(plan: Plan, budget: _Budget) -> Plan:
    return replace(
        plan, faults=_fewer(plan.faults, lambda faults: budget.fails(replace(plan, faults=faults)))
    )


def _fewer_controls(plan: Plan, budget: _Budget) -> Plan:
    return replace(
        plan, controls=_fewer(plan.controls, lambda some: budget.fails(replace(plan, controls=some)))
    )


def _fewer_touches(plan: Plan, budget: _Budget) -> Plan:
    return replace(plan, touches=_fewer(plan.touches, lambda some: budget.fails(replace(plan, touches=some))))


def _fewer_runs(plan: Plan, budget: _Budget) -> Plan:
    for position in reversed(range(len(plan.runs))):
        if len(plan.runs) == 1:
            break
        if plan.runs[position].definition.name == AWAITED:  # without it others would wait for ever
            continue
        smaller = replace(
            plan,
            runs=plan.runs[:position] + plan.runs[position + 1 :],
            controls=tuple(
                replace(one, run=one.run - (one.run > position))
                for one in plan.controls
                if one.run != position
            ),
            touches=tuple(
                replace(one, run=one.run - (one.run > position))
                for one in plan.touches
                if one.run != position
            ),
        )
        if budget.fails(smaller):
            plan = smaller
    return plan


def _fewer_tasks(plan: Plan, budget: _Budget) -> Plan:
    for position in range(len(plan.runs)):
        for name in [task.name for task in reversed(plan.runs[position].definition.tasks)]:
            run = _without(plan.runs[position], name)
            if run is None:
                continue
            smaller = replace(plan, runs=(*plan.runs[:position], run, *plan.runs[position + 1 :]))
            if budget.fails(smaller):
                plan = smaller
    return plan


def _without(run: PlannedRun, name: str) -> PlannedRun | None:
    """Return the run without a task, its downstreams hung onto its upstreams; `None` if it is the last one."""
    tasks = run.definition.tasks
    if len(tasks) == 1:
        return None
    gone = next(task for task in tasks if task.name == name)
    kept = tuple(
        replace(
            task,
            needs=tuple(dict.fromkeys(_rewired(task.needs, name, gone.needs))),
            params={key: value for key, value in task.params.items() if f"{name}." not in str(value)},
        )
        for task in tasks
        if task is not gone
    )
    return replace(run, definition=replace(run.definition, tasks=kept, outputs=None))


def _rewired(needs: Sequence[str], name: str, instead: Sequence[str]) -> Iterator[str]:
    for one in needs:
        if one == name:
            yield from instead
        else:
            yield one


def _fewer(items: tuple[T, ...], fails: Callable[[tuple[T, ...]], bool]) -> tuple[T, ...]:
    """Return fewer of `items`, in their order, that still fail: halves first, then single ones."""
    size = max(len(items) // 2, 1)
    while items:
        for begin in range(0, len(items), size):
            fewer = items[:begin] + items[begin + size :]
            if fails(fewer):
                items = fewer
                break
        else:
            if size == 1:
                break
            size = max(size // 2, 1)
    return items
