"""Owns the drawing of plans, and their translation into definitions of the product."""

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from orchestrator.core.definition import Execution, OnFailure, TaskDefinition, Trigger, WorkflowDefinition
from tests.properties.stateful.plan import WORKER, Plan, Step

EXECUTIONS = {
    "alpha": "parallel",
    "beta": "serial_wait",
    "gamma": "serial_discard",
    "delta": "serial_priority",
}
"""The names of the workflows that people start, and how runs of one name share time."""

POOLS = {"narrow": 1, "wide": 2}
MOST_STEPS = 6
DEEPEST = 3
WAIT_S = 20.0
"""So long a dependent task waits."""

_KINDS = (
    *("noop", "shell", "python", "noop"),
    *("sub_workflow", "switch", "conditions", "sub_workflow", "map", "approval", "dependent"),
)
_TRIGGERS = ("all_success", "all_success", "all_success", *Trigger)


@st.composite
def plans(draw: st.DrawFn, /, *, depth: int = 1) -> Plan:
    """Draw a workflow of up to six tasks of all types; below it children, at most three deep in all."""
    number = draw(st.integers(2 if depth == 1 else 1, MOST_STEPS + 1 - depth))
    kinds = [draw(st.sampled_from(_KINDS)) for _ in range(number)]
    steps: dict[str, Step] = {}
    for index, kind in enumerate(kinds):
        step = draw(_steps(index, kind, depth))
        steps[step.name] = step
    for name in list(steps):
        behind = [one.name for one in steps.values() if name in one.needs]
        steps[name] = draw(_branching(steps[name], behind))
    return Plan(
        name="",
        steps=steps,
        ends=draw(st.sampled_from((False, False, True))),
        execution=draw(st.sampled_from(("parallel", "parallel", "serial_wait"))),
        timeout_s=draw(st.sampled_from((None, None, None, 45.0))),
    )


@st.composite
def _steps(draw: st.DrawFn, /, index: int, kind: str, depth: int) -> Step:
    """Draw one task; what is behind it is not known yet, so it has no branches."""
    mapped = kind == "map"
    if mapped:
        kind = draw(st.sampled_from(("noop", "sub_workflow")))
    if kind == "sub_workflow" and depth == DEEPEST:
        kind = "noop"
    step = Step(
        name=f"t{index}",
        kind=kind,
        needs=tuple(f"t{one}" for one in sorted(draw(_needs(index)))),
        trigger=str(draw(st.sampled_from(_TRIGGERS))),
        disabled=draw(st.sampled_from((False,) * 9 + (True,))),
        elements=draw(st.integers(0, 3)) if mapped else None,
        most=draw(st.sampled_from((None, 1, 2))) if mapped else None,
        kid=draw(plans(depth=depth + 1)) if kind == "sub_workflow" else None,
    )
    if kind in WORKER:
        return draw(_worked(step))
    if kind == "sub_workflow":
        step = replace(step, delay_s=draw(st.sampled_from((0.0, 0.0, 4.0))), retries=draw(st.integers(0, 1)))
    if kind in ("approval", "sub_workflow"):
        return replace(step, timeout_s=draw(st.sampled_from((None, None, 60.0))))
    return replace(step, trigger="all_success") if kind == "conditions" else step


@st.composite
def _worked(draw: st.DrawFn, /, step: Step) -> Step:
    """Draw what only tasks have that a worker runs."""
    return replace(
        step,
        delay_s=draw(st.sampled_from((0.0, 0.0, 0.0, 4.0))),
        retries=draw(st.sampled_from((0, 0, 1, 2))),
        retry_delay_s=draw(st.sampled_from((0.0, 3.0))),
        timeout_s=draw(st.sampled_from((None, None, 12.0))),
        warns=draw(st.booleans()),
        pool=draw(st.sampled_from((None, None, *POOLS))),
        limit=draw(st.sampled_from((None, None, 5))),
    )


def _needs(index: int) -> st.SearchStrategy[list[int]]:
    if index == 0:
        return st.just([])
    few = st.lists(st.integers(0, index - 1), min_size=1, max_size=3, unique=True)
    return few | few | st.just([])


@st.composite
def _branching(draw: st.DrawFn, /, step: Step, behind: list[str]) -> Step:
    """Draw which of the tasks behind it stand in its branches, and what it looks at."""
    if step.kind == "switch":
        cases = draw(_split(behind, draw(st.sampled_from((2, 3, 3)))))
        return replace(step, cases=cases, pick=draw(st.integers(0, 2)))
    if step.kind == "conditions" and step.needs:
        named = draw(st.lists(st.sampled_from(step.needs), min_size=1, max_size=2, unique=True))
        items = tuple((one, draw(st.booleans())) for one in named)
        return replace(step, cases=draw(_split(behind, 2)), named=items, every=draw(st.booleans()))
    if step.kind == "conditions":
        return replace(step, kind="noop")
    return step


@st.composite
def _split(draw: st.DrawFn, /, names: list[str], number: int) -> tuple[tuple[str, ...], ...]:
    """Draw a branch for each name, or none for it."""
    places = [draw(st.integers(0, number)) for _ in names]
    return tuple(
        tuple(name for name, place in zip(names, places, strict=True) if place == branch)
        for branch in range(number)
    )


def christened(plan: Plan, name: str, execution: str) -> Plan:
    """Return a plan with its name and turn, its children with names that nobody else has."""
    steps = {
        step.name: replace(step, kid=christened(step.kid, f"{name}-{step.name}", step.kid.execution))
        if step.kid is not None
        else step
        for step in plan.steps.values()
    }
    return replace(plan, name=name, execution=execution, steps=steps)


def definition_of(plan: Plan, name: str) -> WorkflowDefinition:
    """Return the product's definition of a plan, under this name."""
    return WorkflowDefinition(
        name=name,
        tasks=tuple(_task(step) for step in plan.steps.values()),
        on_failure=OnFailure.END if plan.ends else OnFailure.CONTINUE,
        execution=Execution(plan.execution),
        timeout_s=plan.timeout_s,
        on_timeout="stop",
    )


def _task(step: Step) -> TaskDefinition:
    return TaskDefinition(
        name=step.name,
        type=step.kind,
        spec=_spec(step),
        params={"pick": step.pick} if step.kind == "switch" else {},
        needs=step.needs,
        trigger=Trigger(step.trigger),
        disabled=step.disabled,
        retries=step.retries,
        retry_delay_s=step.retry_delay_s,
        delay_s=step.delay_s,
        timeout_s=step.timeout_s,
        on_timeout="warn" if step.warns else "fail",
        pool=step.pool,
        map_over=None if step.elements is None else list(range(step.elements)),
        max_parallel=step.most,
        check=None if step.limit is None else {"expression": f"${{rows}} > {step.limit}"},
    )


def _spec(step: Step) -> dict[str, Any]:
    match step.kind:
        case "shell" | "python":
            return {"run": "true"} if step.kind == "shell" else {"call": "some:thing"}
        case "switch":
            cases = [{"when": f"pick == {one}", "then": list(step.cases[one])} for one in (0, 1)]
            return {"cases": cases, **({"default": list(step.cases[2])} if len(step.cases) > 2 else {})}
        case "conditions":
            items = [{"task": name, "is": "success" if good else "failure"} for name, good in step.named]
            success, failure = map(list, step.cases)
            return {"all" if step.every else "any": items, "success": success, "failure": failure}
        case "dependent":
            return {"all": [{"workflow": "alpha", "window": "today"}], "wait": WAIT_S, "check_every": 5.0}
        case "sub_workflow":
            return {"workflow": step.kid.name if step.kid else ""}
        case _:
            return {}
