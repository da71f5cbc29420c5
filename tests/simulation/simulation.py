"""Owns one simulation, from its plan to the verdict."""

from collections import Counter
from dataclasses import dataclass, field
from functools import partial

from tests.simulation import faults, oracle
from tests.simulation.database import Database
from tests.simulation.plan import Plan
from tests.simulation.story import Story
from tests.simulation.world import World

LOOK_EVERY_S = 7.0
"""How often memory is compared with the rows."""

PATIENCE_S = 1_800.0
"""Once faults have stopped and tasks have had their time, everything ends within so much simulated time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a simulation.

    Attributes:
        ended_s: Simulated second at which everything was at rest.
        steps: How many steps of threads were taken.
    """

    seed: int
    violations: tuple[str, ...]
    workflows: int
    attempts: int
    faults: Counter[str] = field(default_factory=Counter)
    ended_s: float = 0.0
    recovery_s: float = 0.0


def simulate(plan: Plan, database: Database, story: Story | None = None) -> Outcome:
    """Let a plan happen; say what was wrong.

    Args:
        plan: What happens.
        database: Emptied first.
        story: Told everything, if given.
    """
    story = story or Story()
    world = World(plan, database, story)
    try:
        differences = _watch(world)
        world.begin()
        for fault in plan.faults:
            world.schedule.at(fault.at_s, partial(faults.cause, world, fault))
        world.schedule.run(lambda: bool(world.schedule.errors) or oracle.is_over(world), limit_s(plan))
        found = [*differences, *oracle.violations(world)]
        last = max((fault.at_s + fault.seconds for fault in plan.faults), default=0.0)
        return Outcome(
            seed=plan.seed,
            violations=tuple(dict.fromkeys(found)),
            workflows=len(world.runs),
            attempts=len(world.ledger.executions),
            faults=Counter(world.ledger.faults),
            ended_s=world.schedule.now_s,
            recovery_s=max(world.schedule.now_s - last, 0.0),
        )
    finally:
        world.close()


def limit_s(plan: Plan) -> float:
    """Return the simulated second by which everything must have ended."""
    work = 0.0
    for run in plan.runs:
        for task in run.definition.tasks:
            script = run.scripts.get(task.name)
            tries = 1 + task.retries
            work += task.delay_s + tries * (
                task.retry_delay_s * 2 + (task.timeout_s or 0.0 if script and script.hangs else 0.0)
            )
            if script is not None:
                work += tries * script.takes_s + script.deferrals * (script.defer_s + script.takes_s) * tries
                work += (script.rejects + min(script.deaths, 3)) * (20.0 + script.takes_s)
    last = max(
        [fault.at_s + fault.seconds for fault in plan.faults] + [control.at_s for control in plan.controls],
        default=0.0,
    )
    return last + work + PATIENCE_S


def _watch(world: World) -> list[str]:
    """Compare memory with the rows every now and then; return the list that differences will be put into."""
    found: list[str] = []

    def look() -> None:
        found.extend(oracle.memory_differs(world))
        world.schedule.at(world.schedule.now_s + LOOK_EVERY_S, look)

    world.schedule.at(LOOK_EVERY_S, look)
    return found
