"""Tests of the reference model against the real core: the same ends where nothing breaks, and none of its own."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from random import Random

import pytest
from sqlalchemy import select

from orchestrator.core.command import CommandKind
from orchestrator.core.deferral import Defer
from orchestrator.core.definition import Execution, OnFailure, TaskDefinition, WorkflowDefinition
from orchestrator.core.event import CHILD_DIED
from orchestrator.core.order import Order
from orchestrator.store import schema
from orchestrator.store.session import reading
from orchestrator.testing.rig import Rig
from orchestrator.testing.worker import Ending
from tests.simulation import workload
from tests.simulation.model import Seen, SeenAttempt, judge
from tests.simulation.plan import Plan, PlannedRun, Script
from tests.simulation.tasks import outputs_by
from tests.simulation.workload_tasks import GROUPS


class Scripted:
    """Lets simulated workers follow the scripts of several runs, in a world where nothing breaks."""

    def __init__(self) -> None:
        self.scripts: dict[int, Mapping[str, Script]] = {}
        self._counts: Counter[tuple[object, ...]] = Counter()

    def __call__(self, order: Order) -> Ending:
        """Follow the script: die, ask to be called again, fail, succeed."""
        run, task = order.workflow_instance_id, order.task
        script = self.scripts[run].get(task, Script())
        if self._counts["deaths", run, task] < script.deaths:
            self._counts["deaths", run, task] += 1
            return Ending(error=CHILD_DIED, reason="worker child died: SIGKILL")
        if self._counts["deferrals", run, task, order.attempt] < script.deferrals:
            self._counts["deferrals", run, task, order.attempt] += 1
            raise Defer(script.defer_s)
        fails = self._counts["failures", run, task] < script.failures
        self._counts["failures", run, task] += fails
        if fails and not script.spoils:
            return Ending(
                error="timeout" if script.hangs else "Scripted", reason="timeout" if script.hangs else ""
            )
        return Ending(outputs=dict(outputs_by(script, order, fails=fails)))


End = tuple[PlannedRun, Seen]

ALONE = frozenset({"sub_workflow", "approval", "dependent"})
"""Types of tasks that wait for something outside their run; the simulation alone has those."""


def play(rig: Rig, behaviour: Scripted, plan: Plan, *, controls: bool = False) -> list[End]:
    """Let the runs of a plan happen in a rig, and return what is seen of them."""
    dice = Random(plan.seed)
    for name, slots in plan.pools.items():
        rig.pools.set(name, slots)
    numbers = [rig.submit(run.definition) for run in plan.runs]
    behaviour.scripts.update(zip(numbers, [run.scripts for run in plan.runs], strict=True))
    sent: dict[int, set[str]] = {number: set() for number in numbers}
    for control in plan.controls if controls else ():
        if control.kind.upper() not in CommandKind.__members__:
            continue  # holding a task by name has tests of its own
        for _ in range(dice.randint(0, 12)):
            if not rig.turn():
                rig.pass_time()
        number = numbers[control.run]
        rig.streams.wake(rig.commands.send(number, CommandKind[control.kind.upper()]).slot)
        sent[number].add(control.kind)
    rig.run(*numbers)
    return [
        (run, seen_in(rig, number, stop="stop" in sent[number]))
        for run, number in zip(plan.runs, numbers, strict=True)
    ]


def seen_in(rig: Rig, number: int, *, stop: bool) -> Seen:
    """Return what the database has of a run."""
    columns = schema.task_instance.c
    with reading(rig.engine) as connection:
        rows = connection.execute(
            select(schema.task_instance).where(columns.workflow_instance_id == number)
        ).mappings()
        attempts = tuple(
            SeenAttempt(
                **{
                    name: row[name]
                    for name in ("task", "attempt", "reason", "failures", "current", "started_at", "ended_at")
                },
                state=str(row["state"]),
                created_at=row["submitted_at"],
            )
            for row in rows
        )
    head = rig.instances.load([number])[number].head
    return Seen(
        state=head.state.value,
        attempts=attempts,
        stop_was_sent=stop,
        disturbed=False,
        run_count=head.run_count,
    )


def play_all(plans: Iterable[Plan], **how: bool) -> Iterator[tuple[int, End]]:
    """Let plans happen one after the other in one rig; yield the end of each run with the seed."""
    behaviour = Scripted()
    rig = Rig(behaviour=behaviour)
    rig.worker.serve(*GROUPS)
    for plan in plans:
        for end in play(rig, behaviour, alone(plan), **how):
            yield plan.seed, end


def faults_of(plans: Iterable[Plan], **how: bool) -> list[str]:
    """Let plans happen, and judge every end."""
    return [
        f"seed {seed}: {run.definition.name}: {line}"
        for seed, (run, seen) in play_all(plans, **how)
        for line in judge(run, seen)
    ]


@pytest.mark.parametrize("first", range(0, 80, 20))
def test_the_core_comes_to_the_ends_that_the_model_says(first: int) -> None:
    """Random plans without faults and controls end as the model, which shares no code with the core, says."""
    assert faults_of(workload.draw(seed) for seed in range(first, first + 20)) == []


def test_the_core_comes_to_right_ends_under_pauses_and_stops() -> None:
    """Random plans with pauses, resumes and stops at any moment end as the model says."""
    plans = [plan for plan in map(workload.draw, range(1_000, 1_120)) if plan.controls]

    assert faults_of(plans, controls=True) == []


def test_the_core_comes_to_right_ends_when_a_failure_ends_the_run() -> None:
    """The same plans under `on_failure: end` do."""
    assert faults_of(map(ending, map(workload.draw, range(200, 230)))) == []


def alone(plan: Plan) -> Plan:
    """Return a plan whose runs have nothing to do with others: no turns, no cache, no calls."""
    return replace(plan, runs=tuple(replace(run, definition=_alone(run.definition)) for run in plan.runs))


def _alone(definition: WorkflowDefinition) -> WorkflowDefinition:
    tasks = tuple(_workable(replace(task, cache=False)) for task in definition.tasks)
    return replace(definition, execution=Execution.PARALLEL, tasks=tasks)


def _workable(task: TaskDefinition) -> TaskDefinition:
    """Return a task that a worker does in the place of one that waits for something outside its run."""
    return replace(task, type="noop", spec={}) if task.type in ALONE else task


def ending(plan: Plan) -> Plan:
    """Return a plan whose runs end at their first failure."""
    runs = tuple(
        replace(run, definition=replace(run.definition, on_failure=OnFailure.END)) for run in plan.runs
    )
    return replace(plan, runs=runs)


def test_every_change_of_an_exact_end_is_noticed() -> None:
    """Under `continue`, and without a stop, one end is right: a row more, less or other is a violation."""
    ends = [end for _, end in play_all(map(workload.draw, range(300, 312)))]
    exact = [(run, seen) for run, seen in ends if run.definition.on_failure is OnFailure.CONTINUE]

    missed = [
        (run.definition.name, words)
        for run, seen in exact
        for words, changed in wrong_ones(run, seen)
        if not judge(run, changed)
    ]

    assert len(exact) >= 8
    assert missed == []


def wrong_ones(run: PlannedRun, seen: Seen) -> Iterator[tuple[str, Seen]]:
    """Yield ends that differ from a right one in one thing."""
    for state in {"SUCCESS", "FAILURE", "STOPPED", "RUNNING", "PAUSED"} - {seen.state}:
        yield f"the run is {state}", replace(seen, state=state)
    for position, row in enumerate(seen.attempts):
        before, behind = seen.attempts[:position], seen.attempts[position + 1 :]
        words = f"{row.task} {row.attempt} {row.state}"
        for changed in other_rows(row):
            yield f"{words}: {changed}", replace(seen, attempts=(*before, *changed, *behind))
    ran = {row.task for row in seen.attempts}
    for task in run.definition.tasks:
        if task.name not in ran:
            extra = SeenAttempt(task=task.name, attempt=1, state="SUCCESS")
            yield f"{task.name} ran", replace(seen, attempts=(*seen.attempts, extra))


def other_rows(row: SeenAttempt) -> Iterator[tuple[SeenAttempt, ...]]:
    """Yield what must not stand in the place of a row."""
    states = {"SUCCESS", "FAILURE", "KILLED", "SKIPPED", "LOST", "RUNNING", "SUBMITTED"} - {row.state}
    yield from ((replace(row, state=state),) for state in sorted(states))
    yield ()
    yield (row, replace(row, attempt=row.attempt + 1))
    yield (replace(row, current=not row.current),)
    yield (replace(row, failures=row.failures + 1),)
