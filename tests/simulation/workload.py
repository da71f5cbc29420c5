"""Owns random plans: each is drawn from one seed, with a generator of its own for every part.

So a plan without its faults has the same runs, and the same seed means the same plan until drawing changes here.
"""

from dataclasses import replace
from random import Random

from orchestrator.core.definition import OnFailure, Priority, WorkflowDefinition
from tests.simulation.plan import Plan, PlannedControl, PlannedFault, PlannedRun, PlannedWorker, Script
from tests.simulation.workload_approvals import with_approvals
from tests.simulation.workload_branches import with_branches
from tests.simulation.workload_checks import with_checks
from tests.simulation.workload_children import draw_grips, with_children
from tests.simulation.workload_dependents import with_dependents
from tests.simulation.workload_faults import LATEST_S, draw_faults, in_order, with_silence
from tests.simulation.workload_graphs import draw_needs, draw_size
from tests.simulation.workload_holds import draw_holds, with_caches
from tests.simulation.workload_length import length_s
from tests.simulation.workload_maps import with_maps
from tests.simulation.workload_pools import with_pools
from tests.simulation.workload_queues import with_queue_timeouts
from tests.simulation.workload_serial import with_turns
from tests.simulation.workload_shapes import OFTEN, SHAPES
from tests.simulation.workload_tasks import GROUPS, Mood, draw_tasks
from tests.simulation.workload_touches import with_touches
from tests.simulation.workload_words import with_words

CALM = 0.1
"""So many of the seeds have no faults."""

SHAPED = 0.15
"""So many of the seeds are a small version of a shape."""

AGAIN = 0.2
"""So many of the runs are recovered or rerun."""

LAGS_S = (0.0, 0.0, 0.0, 0.1, 0.5, 2.0)
"""A loop that lags gets many reports at a time: several about one row are one batch."""

MOMENTS = {"twice": 0.03, "rewind": 0.03, "close_call": 0.03}
"""The shapes in which something rare must come at its moment, and how many of the seeds are about each."""

ALONE = 0.6
"""In so many of the close calls nothing else breaks: most of what does puts the moment off."""

PATIENT = 0.04
"""So many of the seeds have a task that takes longer than any time limit of the machinery."""

BRANCHED = 0.2
"""So many of the seeds have switch and conditions tasks."""

MAPPED = 0.2
"""So many of the seeds have maps."""

CALLING = 0.08
"""So many of the seeds have tasks that start runs of other workflows."""

TELLING = 0.4
"""In so many of those something goes into the runs and comes back."""

TOUCHED = 1 / 6
"""In so many of those people control the called runs by hand."""

APPROVED = 0.06
"""So many of the seeds have tasks that wait for a person."""

QUEUED = 0.06
"""So many of the seeds have tasks that are given up if no worker starts them in time."""

POOLED = 0.2
"""So many of the seeds have pools."""

SERIAL = 0.12
"""So many of the seeds have a serial workflow."""

CACHED = 0.2
"""So many of the seeds have tasks that keep their outputs."""

HELD = 0.12
"""In so many of the seeds people pause single tasks."""

DEPENDING = 0.05
"""So many of the seeds have tasks that wait for runs of another workflow."""

CHECKED = 0.06
"""So many of the seeds have tasks whose outputs are checked."""

SILENT = 0.04
"""So many of the seeds have an outage of Redis after which masters could take living workers for dead."""

PACES_S = (0.0005, 0.002, 0.002, 0.002, 0.01)


def draw(seed: int) -> Plan:
    """Return the plan of a seed: always the same one."""
    calm = dice_of(seed, "calm").random() < CALM
    plan = _draw_runs(seed, calm=calm)
    branches = dice_of(seed, "crossroads")
    if branches.random() < BRANCHED:
        plan = with_branches(plan, branches)
    maps = dice_of(seed, "maps")
    if maps.random() < MAPPED:
        plan = with_maps(plan, maps)
    calls = dice_of(seed, "calls")
    if calls.random() < CALLING:
        plan = with_children(plan, calls, calm=calm)
    approvals = dice_of(seed, "approvals")
    if approvals.random() < APPROVED:
        plan = with_approvals(plan, approvals)
    queues = dice_of(seed, "queue timeouts")
    if queues.random() < QUEUED:
        plan = with_queue_timeouts(plan, queues)
    keeping, holds = dice_of(seed, "keeping"), dice_of(seed, "holds")
    if keeping.random() < CACHED:
        plan = with_caches(plan, keeping)
    plan = replace(
        plan,
        controls=_in_time(
            *(plan.controls or _draw_controls(dice_of(seed, "controls"), plan.runs)),
            *draw_grips(plan, dice_of(seed, "grips")),
            *_draw_again(dice_of(seed, "again"), plan),
            *(draw_holds(plan, holds) if holds.random() < HELD else ()),
        ),
        faults=plan.faults if calm or _is_left_alone(plan) else with_faults(plan).faults,
        pace_s=dice_of(seed, "pace").choice(PACES_S),
        lag_s=plan.lag_s or dice_of(seed, "lag").choice(LAGS_S),
    )
    silence = dice_of(seed, "silence")
    if not calm and silence.random() < SILENT:
        plan = with_silence(plan, silence)
    pools = dice_of(seed, "pools")
    if pools.random() < POOLED:
        plan = with_pools(plan, pools, calm=calm)
    turns = dice_of(seed, "serial runs")
    if turns.random() < SERIAL:
        plan = with_turns(plan, turns)
    dependents = dice_of(seed, "other runs")
    plan = with_dependents(plan, dependents) if _has(dependents, DEPENDING, plan) else plan
    checks = dice_of(seed, "checks")
    plan = with_checks(plan, checks) if _has(checks, CHECKED, plan) else plan
    words = dice_of(seed, "words")
    plan = with_words(plan, words) if plan.children and words.random() < TELLING else plan
    touches = dice_of(seed, "called runs by hand")
    return with_touches(plan, touches) if plan.children and touches.random() < TOUCHED else plan


def _has(dice: Random, often: float, plan: Plan) -> bool:
    """Whether a plan is to have something more; not if it is about a moment, which that might put off."""
    return dice.random() < often and plan.runs[0].definition.name not in MOMENTS


def _is_left_alone(plan: Plan) -> bool:
    is_close_call = plan.runs[0].definition.name == "close_call"
    return is_close_call and dice_of(plan.seed, "alone").random() < ALONE


def shape(name: str, seed: int, *, small: bool = False) -> Plan:
    """Return a shape that hurts, without other faults than those that make it what it is.

    Args:
        name: One of `workload_shapes.SHAPES`.
        seed: Of the order of steps, and of what the shape leaves open.
        small: About a dozen tasks.
    """
    return SHAPES[name](seed, small=small)


def with_faults(plan: Plan) -> Plan:
    """Return a plan with the faults that `draw` would give its seed, besides its own."""
    drawn = draw_faults(dice_of(plan.seed, "faults"), length_s(plan))
    faults: list[PlannedFault] = [*plan.faults, *drawn]
    return replace(plan, faults=in_order(faults))


def dice_of(seed: int, part: str) -> Random:
    """Return the generator of one part of a plan."""
    return Random(f"{seed}:{part}")


# --- runs ------------------------------------------------------------------------------------


def _draw_runs(seed: int, *, calm: bool) -> Plan:
    left = dice_of(seed, "hurry").random()
    for name, share in MOMENTS.items():
        left -= share
        if left < 0:
            return shape(name, seed, small=True)
    plan = _draw_any(seed, calm=calm)
    patience = dice_of(seed, "patience")
    return _with_patience(plan, patience) if patience.random() < PATIENT else plan


def _with_patience(plan: Plan, dice: Random) -> Plan:
    """Return the plan with one task that takes its time."""
    run = plan.runs[0]
    name = dice.choice(run.definition.tasks).name
    script = run.scripts.get(name, Script())
    if script.hangs:
        return plan
    scripts = {**run.scripts, name: replace(script, takes_s=round(dice.uniform(40.0, 80.0), 1))}
    return replace(plan, runs=(replace(run, scripts=scripts), *plan.runs[1:]))


def _draw_any(seed: int, *, calm: bool) -> Plan:
    dice = dice_of(seed, "shape")
    if dice.random() < SHAPED:
        return shape(dice.choice(OFTEN), seed, small=True)
    dice = dice_of(seed, "runs")
    number = dice.choices([1, 2, 3, 4], [58, 25, 11, 6])[0]
    runs: list[PlannedRun] = []
    for position in range(number):
        if runs and dice.random() < 0.2:
            run = dice.choice(runs)
        else:
            run = _draw_run(dice, f"w{position}", most=60 if number == 1 else 20, calm=calm)
        submit_at_s = round(dice.uniform(0.0, 8.0), 2) if position else 0.0
        runs.append(replace(run, submit_at_s=submit_at_s))
    return Plan(seed=seed, runs=tuple(runs), workers=_draw_workers(dice_of(seed, "workers"), runs))


def _draw_run(dice: Random, name: str, *, most: int, calm: bool) -> PlannedRun:
    mood = Mood(calm=calm, trouble=dice.choice([0.0, 0.2, 0.4, 0.4, 0.7]), heavy=dice.random() < 0.25)
    tasks, scripts = draw_tasks(dice, draw_needs(dice, draw_size(dice, most)), mood)
    definition = WorkflowDefinition(
        name=name,
        tasks=tasks,
        on_failure=OnFailure.END if dice.random() < 0.25 else OnFailure.CONTINUE,
        priority=dice.choice(list(Priority)) if dice.random() < 0.2 else Priority.MEDIUM,
        worker_group=GROUPS[1] if dice.random() < 0.05 else GROUPS[0],
    )
    return PlannedRun(definition=definition, scripts=scripts)


# --- workers ---------------------------------------------------------------------------------


def _draw_workers(dice: Random, runs: list[PlannedRun]) -> tuple[PlannedWorker, ...]:
    """Return 1 to 3 workers; the first one serves every group that is named."""
    groups = sorted(set().union(*(groups_of(run.definition) for run in runs)))
    workers = [PlannedWorker(name="w1", capacity=_capacity(dice), groups=tuple(groups))]
    for number in range(dice.choices([0, 1, 2], [45, 40, 15])[0]):
        some = tuple(sorted(dice.sample(groups, dice.randint(1, len(groups)))))
        workers.append(PlannedWorker(name=f"w{number + 2}", capacity=_capacity(dice), groups=some))
    return tuple(workers)


def groups_of(definition: WorkflowDefinition) -> set[str]:
    """Return the worker groups that a run's tasks go to."""
    return {task.worker_group or definition.worker_group for task in definition.tasks}


def _capacity(dice: Random) -> int:
    return dice.choices([1, 2, 3, 4, 8], [20, 40, 15, 20, 5])[0]


# --- controls --------------------------------------------------------------------------------


def _draw_controls(dice: Random, runs: tuple[PlannedRun, ...]) -> tuple[PlannedControl, ...]:
    """Return pauses, each followed by a resume or a stop, and now and then a stop alone."""
    controls: list[PlannedControl] = []
    for position, run in enumerate(runs):
        if dice.random() < 0.2:
            controls += _draw_pauses(dice, position, run.submit_at_s)
        if dice.random() < 0.05:
            at_s = run.submit_at_s + dice.uniform(0.0, 15.0)
            controls.append(PlannedControl(at_s=round(at_s, 3), run=position, kind="stop"))
    return _in_time(*controls)


def _in_time(*controls: PlannedControl) -> tuple[PlannedControl, ...]:
    return tuple(sorted(controls, key=lambda control: control.at_s))


def _draw_again(dice: Random, plan: Plan) -> list[PlannedControl]:
    """Return recovers and reruns, of some runs and at any moment."""
    controls = []
    for position, run in enumerate(plan.runs):
        if dice.random() >= AGAIN:
            continue
        for _ in range(dice.choices([1, 2, 3], [60, 30, 10])[0]):
            at_s = round(run.submit_at_s + dice.uniform(0.0, length_s(plan)), 3)
            kind = dice.choice(["recover", "recover", "rerun"])
            enabled = [task.name for task in run.definition.tasks if not task.disabled]
            task = dice.choice(enabled) if kind == "rerun" and enabled and dice.random() < 0.5 else ""
            controls.append(PlannedControl(at_s=at_s, run=position, kind=kind, task=task))
    return controls


def _draw_pauses(dice: Random, position: int, at_s: float) -> list[PlannedControl]:
    controls = []
    for _ in range(dice.choices([1, 2, 3], [70, 20, 10])[0]):
        at_s += dice.uniform(0.01, 8.0)
        if at_s > LATEST_S:
            break
        controls.append(PlannedControl(at_s=round(at_s, 3), run=position, kind="pause"))
        at_s += dice.choice([0.02, 0.5, 3.0, 20.0]) * dice.uniform(0.5, 1.5)
        end = "stop" if dice.random() < 0.12 else "resume"
        controls.append(PlannedControl(at_s=round(at_s, 3), run=position, kind=end))
        if end == "stop":
            break
    return controls
