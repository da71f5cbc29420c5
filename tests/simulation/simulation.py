"""Owns one simulation, from its plan to the verdict."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from tests.simulation import error_lines, faults, oracle, oracle_turns
from tests.simulation.database import Database
from tests.simulation.oracle_children import orphans
from tests.simulation.oracle_pools import pools_differ
from tests.simulation.plan import Plan, PlannedFault
from tests.simulation.story import Story
from tests.simulation.watchdog import PROCESSOR_S, Endless, last_words, limited
from tests.simulation.workload_faults import KINDS
from tests.simulation.world import World

LOOK_EVERY_S = 7.0
"""How often memory is compared with the rows."""

PATIENCE_S = 1_800.0
"""Once faults have stopped and tasks have had their time, everything ends within so much simulated time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a simulation.

    Attributes:
        attempts: How many executions began.
        ended_s: Simulated second at which everything was at rest.
        recovery_s: Simulated seconds from the end of the last fault that happened until then; `None`: none did.
        crashed: It did not come to its end; nothing but the violation is known of it.
    """

    seed: int
    violations: tuple[str, ...]
    workflows: int
    attempts: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    ended_s: float = 0.0
    recovery_s: float | None = None
    crashed: bool = False


def examine(
    plan: Plan,
    database: Database,
    story: Story | None = None,
    *,
    patience_s: float = PATIENCE_S,
    processor_s: float = PROCESSOR_S,
) -> Outcome:
    """Let a plan happen; say what was wrong, also if that is a crash, or that it never ends.

    Args:
        plan: What happens.
        database: Emptied first; after a crash it is not used again.
        story: Told everything, if given.
        patience_s: See `simulate`.
        processor_s: A simulation that takes longer never ends, in seconds of processor time.
    """
    try:
        with limited(processor_s):
            return simulate(plan, database, story, patience_s=patience_s)
    except (Exception, Endless) as error:  # noqa: BLE001  the seed must be named, whatever it is
        return Outcome(
            seed=plan.seed, violations=(last_words(error),), workflows=len(plan.runs), crashed=True
        )


def simulate(
    plan: Plan, database: Database, story: Story | None = None, *, patience_s: float = PATIENCE_S
) -> Outcome:
    """Let a plan happen; say what was wrong.

    Args:
        plan: What happens.
        database: Emptied first.
        story: Told everything, if given.
        patience_s: How long everything may take to end once faults and tasks are over, in simulated seconds.
    """
    world = World(plan, database, story or Story())
    try:
        differences, troubles = _watch(world), _Troubles(world)
        world.at_point = _onlookers(world)
        world.begin()
        troubles.begin(plan.faults)
        with error_lines.into(world.tasks.wrong, world.ledger.faults):
            world.schedule.run(
                lambda: troubles.look() or bool(world.schedule.errors) or oracle.is_over(world),
                limit_s(plan, patience_s),
            )
        found = [*differences, *oracle.violations(world)]
        return Outcome(
            seed=plan.seed,
            violations=tuple(dict.fromkeys(found)),
            workflows=len(world.runs),
            attempts=len(world.ledger.executions),
            faults=Counter(world.ledger.faults),
            ended_s=world.schedule.now_s,
            recovery_s=troubles.recovery_s(),
        )
    finally:
        world.close()


def _onlookers(world: World) -> Callable[[str], None]:
    """Return what is to be called at each crash point."""
    turns = oracle_turns.watch(world)
    if not world.plan.children:
        return turns

    def look(point: str) -> None:
        turns(point)
        world.chronicle.at_point(point)

    return look


def limit_s(plan: Plan, patience_s: float = PATIENCE_S) -> float:
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
    again = sum(control.kind in {"recover", "rerun"} for control in plan.controls)
    again += sum(len(touch.steps) for touch in plan.touches)
    return last + (work + patience_s) * (1 + again)


class _Troubles:
    """Knows when the last fault that really happened was over.

    Args:
        world: Whose faults are meant.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._happened = 0
        self._over_s: float | None = None

    def begin(self, planned: tuple[PlannedFault, ...]) -> None:
        """Put the faults into the calendar."""
        for fault in planned:
            self._world.schedule.at(fault.at_s, partial(self._cause, fault))

    def look(self) -> bool:
        """Note what happened since the last look, as over now; what waits for its moment is only seen here."""
        self._note(0.0)
        return False

    def recovery_s(self) -> float | None:
        """Return how long it took from the end of the last fault to now; `None` if there was none."""
        self.look()
        return None if self._over_s is None else max(self._world.schedule.now_s - self._over_s, 0.0)

    def _cause(self, fault: PlannedFault) -> None:
        self.look()
        faults.cause(self._world, fault)
        lasts = fault.kind in KINDS and KINDS[fault.kind].longest_s > 0
        self._note(fault.seconds if lasts else 0.0)

    def _note(self, lasts_s: float) -> None:
        happened = len(self._world.ledger.faults)
        if happened > self._happened:
            self._happened = happened
            self._over_s = max(self._over_s or 0.0, self._world.schedule.now_s + lasts_s)


def _watch(world: World) -> list[str]:
    """Compare memory with the rows every now and then; return the list that differences will be put into."""
    found: list[str] = []
    lanes = oracle.fresh_lanes(world)

    def look() -> None:
        found.extend(oracle.memory_differs(world, lanes))
        found.extend(pools_differ(world))
        found.extend(orphans(world))
        world.schedule.at(world.schedule.now_s + LOOK_EVERY_S, look)

    world.schedule.at(LOOK_EVERY_S, look)
    return found
