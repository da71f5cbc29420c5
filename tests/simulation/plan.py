"""Owns the plan of a simulation: what runs, what people do and what breaks; drawn from a seed, and shrinkable."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from orchestrator.core.definition import WorkflowDefinition

ALWAYS = 1_000
"""More failures than any task has retries."""

UNTIL_REPORTED = "until reported"
"""The step of a touch that waits until nothing of the touched run is executed any more."""

UNTIL_OVER = "until over"
"""The step that waits until the touched run has ended."""

FORGETFUL = frozenset({"redis_wiped", "redis_flushed", "redis_lost_seconds"})
"""The kinds of faults by which Redis forgets something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What the attempts of one task do, the same whatever happens around them.

    Attributes:
        takes_s: Simulated seconds from the start of an execution to its end.
        failures: So many failed attempts come before it succeeds; `ALWAYS`: it never does.
        hangs: The attempts that fail do so by never ending: only the task's timeout ends them.
        spoils: The attempts that fail do so by outputs that the task's check refuses; if none fails, nobody
            minds, and all outputs are such.
        deferrals: How often an attempt asks to be called again, `defer_s` later, before it goes on.
        defer_s: Seconds of one deferral.
        deaths: So many executions end with the death of the child that runs them (then LOST).
        rejects: So many hand-overs are given back before one is taken.
    """

    takes_s: float = 1.0
    failures: int = 0
    hangs: bool = False
    spoils: bool = False
    deferrals: int = 0
    defer_s: float = 2.0
    deaths: int = 0
    rejects: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRun:
    """One run: its definition, and what each of its worker tasks does (the default script if not named).

    Attributes:
        planned_time: The time it is about; `None`: when it is submitted.
    """

    definition: WorkflowDefinition
    scripts: Mapping[str, Script] = field(default_factory=dict)
    submit_at_s: float = 0.0
    planned_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedControl:
    """A person's command on the run of that position in the plan.

    Attributes:
        kind: `pause`, `resume`, `stop`, `hold`, `release`, `recover` or `rerun`. The last two are sent whatever
            the run is doing, and once more when it has ended.
        task: A rerun begins with this task (empty: with all); what is held or released.
    """

    at_s: float
    run: int
    kind: str
    task: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTouch:
    """What a person does by hand to a run that a run of the plan, or one that it called, has called.

    Attributes:
        run: Position of the run whose children, and theirs, are meant.
        steps: `pause`, `resume`, `stop`, `hold`, `release`, `recover`, `rerun`, `force`, in this order; behind
            `caller ` it goes to the run that called the touched one. `UNTIL_REPORTED` and
            `UNTIL_OVER` wait for their moment, and the next step is taken at once.
        every_s: Seconds between two steps.
        moment: `now`: whatever the child is doing; `ended`: when it has ended; `over`: when its caller has, too.
        pick: From 0 to below 1: chooses among the children, and among their tasks.
        twice: Each command is sent twice.
    """

    at_s: float
    run: int
    steps: tuple[str, ...]
    every_s: float = 1.0
    moment: str = "now"
    pick: float = 0.0
    twice: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedResize:
    """A person gives a pool another number of slots."""

    at_s: float
    pool: str
    slots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFault:
    """One fault.

    Attributes:
        kind: A name of `faults.KINDS`.
        seconds: How long it lasts, where it lasts.
        pick: From 0 to below 1: chooses among the targets that exist when it happens.
    """

    at_s: float
    kind: str
    seconds: float = 0.0
    pick: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedWorker:
    """One worker process; it is started again under the same name whenever it died."""

    name: str
    capacity: int = 2
    groups: tuple[str, ...] = ("default",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that happens in one simulation, apart from the order of steps, which the seed decides too.

    Attributes:
        pools: The slots that each pool has at the beginning.
        resizes: What people make of them, in order of time.
        children: The workflows that tasks of runs start, by name.
        touches: What people do to the runs that these tasks have started.
        pace_s: Mean of the random time that a step or a message takes, in seconds.
        lag_s: Mean of the time that a master's loop loses after a turn: reports then come many at a time.
    """

    seed: int
    runs: tuple[PlannedRun, ...]
    controls: tuple[PlannedControl, ...] = ()
    faults: tuple[PlannedFault, ...] = ()
    workers: tuple[PlannedWorker, ...] = ()
    pools: Mapping[str, int] = field(default_factory=dict)
    resizes: tuple[PlannedResize, ...] = ()
    children: Mapping[str, PlannedRun] = field(default_factory=dict)
    touches: tuple[PlannedTouch, ...] = ()
    pace_s: float = 0.002
    lag_s: float = 0.0
