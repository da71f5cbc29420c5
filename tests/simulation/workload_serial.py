"""Owns the drawing of serial workflows: several runs of one name that come close together."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from orchestrator.core.definition import Execution
from tests.simulation.plan import Plan, PlannedControl, PlannedFault, PlannedRun
from tests.simulation.workload_faults import LATEST_S, in_order

TYPES = (Execution.SERIAL_WAIT, Execution.SERIAL_WAIT, Execution.SERIAL_DISCARD, Execution.SERIAL_PRIORITY)
BIG = 25
"""A run of more tasks is not repeated: the chain would take longer than the faults."""

CRASHES = (
    "master_crash_turn_before_flush",
    "master_crash_turn_after_flush",
    "master_crash_turn_after_commit",
)
"""The faults that only these plans have: a master dies while a turn is passed on."""


def with_turns(plan: Plan, dice: Random) -> Plan:
    """Return the plan with one workflow made serial, more runs of it, and what people do to those.

    What the plan has already stays as it is.
    """
    chosen = dice.choice(plan.runs)
    execution = dice.choice(TYPES)
    runs = [_made_serial(run, execution) if _is_same(run, chosen) else run for run in plan.runs]
    first = next(run for run in runs if _is_same(run, chosen))
    more = _more_runs(dice, first) if len(first.definition.tasks) <= BIG else []
    controls = [*plan.controls]
    for position, run in enumerate(more, start=len(runs)):
        controls += _controls(dice, position, run)
    return replace(
        plan,
        runs=(*runs, *more),
        controls=tuple(sorted(controls, key=lambda control: control.at_s)),
        faults=in_order([*plan.faults, *_crashes(dice)]) if plan.faults else (),
    )


def _is_same(run: PlannedRun, other: PlannedRun) -> bool:
    """Whether two runs take the same turns: whatever their versions."""
    return run.definition.name == other.definition.name


def _made_serial(run: PlannedRun, execution: Execution) -> PlannedRun:
    return replace(run, definition=replace(run.definition, execution=execution))


def _more_runs(dice: Random, run: PlannedRun) -> list[PlannedRun]:
    close_s = dice.choice([0.05, 2.0, 10.0])
    return [
        replace(run, submit_at_s=round(run.submit_at_s + dice.uniform(0.0, close_s), 2))
        for _ in range(dice.randint(1, 4))
    ]


def _controls(dice: Random, position: int, run: PlannedRun) -> Sequence[PlannedControl]:
    def at(kind: str, after_s: float) -> PlannedControl:
        return PlannedControl(at_s=round(run.submit_at_s + after_s, 3), run=position, kind=kind)

    moment = dice.uniform(0.01, 15.0)
    match dice.choices(["nothing", "pause", "stop", "again"], [50, 25, 10, 15])[0]:
        case "pause":
            return [at("pause", moment), at("resume", moment + dice.choice([0.02, 1.0, 20.0]))]
        case "stop":
            return [at("stop", moment)]
        case "again":
            return [at(dice.choice(["recover", "rerun"]), moment)]
    return []


def _crashes(dice: Random) -> list[PlannedFault]:
    return [
        PlannedFault(at_s=round(dice.uniform(0.0, min(20.0, LATEST_S)), 3), kind=dice.choice(CRASHES))
        for _ in range(dice.randint(0, 3))
    ]
