"""Dependent tasks: they wait for other workflows' runs, hold no worker, and outlive their master."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestrator.core.command import CommandKind
from orchestrator.core.definition import TaskDefinition, WorkflowDefinition
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.errors import StoreUnavailable
from tests.world import World, a_task

PLANNED = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


def dependent(*items: dict[str, Any], **spec: Any) -> TaskDefinition:
    """A task that waits for all of these."""
    return a_task("wait", type="dependent", spec={"all": list(items), **spec})


def on(workflow: str, window: str = "today", **fields: Any) -> dict[str, Any]:
    """One dependency."""
    return {"workflow": workflow, "window": window, **fields}


def submit(world: World, name: str, *tasks: TaskDefinition, planned: datetime = PLANNED) -> int:
    """Submit a run of a workflow of this name; it becomes the world's."""
    definition = WorkflowDefinition(name=name, tasks=tasks or (a_task("a"),))
    world.run = world.rig.submit(definition, planned_time=planned)
    return world.run


def finish(world: World, run: int) -> WorkflowState:
    """Let this run end."""
    world.run = run
    return world.finish()


def test_a_dependent_task_goes_on_when_the_run_that_it_waits_for_has_succeeded(world: World) -> None:
    """Until then it is RUNNING, says what for, and no worker has it."""
    waiting = submit(world, "w", dependent(on("nightly")), a_task("go", "wait"))
    world.settle()
    assert world.attempt("wait").state is TaskState.RUNNING
    assert world.attempt("wait").reason == "waits for nightly (today, 2026-11-01): no run"
    assert world.worker.take() is None

    nightly = submit(world, "nightly")
    world.pass_time(11)
    world.run = waiting
    assert world.attempt("wait").reason == "waits for nightly (today, 2026-11-01): its run has not ended"
    finish(world, nightly)

    assert finish(world, waiting) is WorkflowState.SUCCESS
    assert world.attempt("wait").reason is None


def test_it_looks_at_once_and_then_at_its_own_pace(world: World) -> None:
    """`check_every`; a look that finds nothing new writes nothing."""
    asked = Counting(world)
    submit(world, "w", dependent(on("nightly"), check_every=20.0))
    world.settle()
    assert asked.times == 1
    before = world.instance.revision

    world.pass_time(59)

    assert asked.times == 3
    assert world.instance.revision == before


def test_a_failed_dependency_fails_the_task_with_the_reason(world: World) -> None:
    """A day later than it was planned for, a run does not count any more."""
    nightly = submit(world, "nightly", a_task("a", params={"x": "${nowhere}"}))
    assert finish(world, nightly) is WorkflowState.FAILURE
    submit(world, "w", dependent(on("nightly")), a_task("go", "wait"))

    assert world.finish() is WorkflowState.FAILURE

    reason = f"not met: nightly (today, 2026-11-01): run {nightly} ended FAILURE"
    assert world.attempt("wait").reason == reason
    submit(world, "w", dependent(on("nightly")), planned=PLANNED + timedelta(days=1))
    world.settle()
    assert world.attempt("wait").state is TaskState.RUNNING


def test_a_task_of_another_workflow_counts_by_itself(world: World) -> None:
    """Its run still goes on."""
    submit(world, "nightly", a_task("load"), a_task("rest", "load"))
    order = world.started()
    world.worker.result(order)
    world.settle()

    submit(world, "w", dependent(on("nightly", task="load")))

    assert world.rig.state(world.run) is WorkflowState.SUBMITTED
    world.settle()
    assert world.state is WorkflowState.SUCCESS


def test_what_is_missing_fails_at_once_or_when_the_wait_is_over(world: World) -> None:
    """`on_missing: fail`, `wait: 25s`: the last look is when the time is up."""
    submit(world, "w", dependent(on("nobody"), on_missing="fail"))
    world.settle()
    assert (world.state, world.attempt("wait").reason) == (
        WorkflowState.FAILURE,
        "not met: nobody (today, 2026-11-01): no run",
    )

    submit(world, "w", dependent(on("nobody"), wait=25.0))
    world.pass_time(24)
    assert world.attempt("wait").state is TaskState.RUNNING
    world.pass_time(2)

    assert world.state is WorkflowState.FAILURE
    assert world.attempt("wait").reason == "not met in 25 s: nobody (today, 2026-11-01): no run"


def test_who_takes_over_looks_at_once(world: World) -> None:
    """The row alone says that it waits, and until when."""
    # Teeth: fails without `Look` in `_wants_decided`.
    waiting = submit(world, "w", dependent(on("nightly"), wait=100.0, check_every=3600.0))
    world.settle()
    nightly = submit(world, "nightly")
    assert finish(world, nightly) is WorkflowState.SUCCESS
    world.run = waiting
    world.pass_time(20)
    assert world.attempt("wait").state is TaskState.RUNNING

    world.restart_master()
    world.settle()

    assert world.state is WorkflowState.SUCCESS


def test_a_run_that_is_loaded_anew_is_looked_after_again(world: World) -> None:
    """Its rows may have moved on; what was known of it is forgotten."""
    # Teeth: fails when `Vigils.forget` leaves it watched.
    asked = Counting(world)
    submit(world, "w", dependent(on("nightly"), check_every=3600.0))
    world.settle()
    assert asked.times == 1

    world.rig.master.inbox.put_notices(world.rig.master.loop._crew.aftermath.reload([world.run]))
    world.settle()

    assert asked.times == 2


def test_big_windows_are_looked_at_a_few_at_a_time(world: World) -> None:
    """A turn of the loop must not wait for thousands of answers."""
    asked = Counting(world)
    days = range(1, 10)
    runs = [
        submit(world, "w", dependent(on(f"n{day}", "last_month"), on(f"m{day}", "last_month")))
        for day in days
        for _ in range(2)
    ]
    world.settle()

    assert sum(asked.questions) >= 2 * 31 * len(days)
    assert max(asked.questions) <= 500 + 2 * 31
    assert all(str(reason).startswith("waits for") for reason in reasons(world, runs))


def reasons(world: World, runs: list[int]) -> list[str | None]:
    """Return the reason of each run's task."""
    found = []
    for world.run in runs:
        found.append(world.attempt("wait").reason)
    return found


def test_a_database_that_is_away_is_asked_again(world: World) -> None:
    """Nothing is decided on no answer, not even that the wait is over."""
    submit(world, "w", dependent(on("nobody"), wait=30.0))
    history = Away(world)
    world.pass_time(60)
    assert world.attempt("wait").state is TaskState.RUNNING
    assert history.times > 10

    world.rig.master.loop._crew.lookout._history = world.rig.history
    world.pass_time(2)

    assert world.state is WorkflowState.FAILURE


def test_many_that_are_due_at_once_are_one_question(world: World) -> None:
    """Runs of one day ask the same."""
    asked = Counting(world)
    runs = [submit(world, "w", dependent(on("nightly"))) for _ in range(20)]

    world.settle()

    assert asked.times < len(runs)
    assert max(asked.questions) == 1
    nightly = submit(world, "nightly")
    finish(world, nightly)
    world.pass_time(11)
    assert {world.rig.state(run) for run in runs} == {WorkflowState.SUCCESS}


def test_a_stop_ends_it_and_a_pause_waits_for_it(world: World) -> None:
    """As with an approval."""
    submit(world, "w", dependent(on("nobody")), a_task("go", "wait"))
    world.settle()
    world.command(CommandKind.PAUSE)
    world.settle()
    assert (world.state, world.attempt("wait").state) == (WorkflowState.PAUSING, TaskState.RUNNING)

    world.command(CommandKind.STOP)
    world.settle()

    assert (world.state, world.attempt("wait").state) == (WorkflowState.STOPPED, TaskState.KILLED)
    assert len(world.rig.master.desk.timers) == 0


def test_a_window_outside_of_time_is_a_failure(world: World) -> None:
    """The year 1 has no month before it."""
    submit(world, "w", dependent(on("nightly", "last_month")), planned=datetime(1, 1, 2, tzinfo=UTC))
    world.settle()

    assert world.state is WorkflowState.FAILURE
    assert "outside the years" in str(world.attempt("wait").reason)


class Counting:
    """Answers as the database does, and counts."""

    def __init__(self, world: World) -> None:
        self._history = world.rig.history
        self.times = 0
        self.questions: list[int] = []
        world.rig.master.loop._crew.lookout._history = self

    def answers(self, questions: Iterable[Any]) -> Any:
        """Pass the questions on."""
        asked = list(questions)
        self.times += 1
        self.questions.append(len(asked))
        return self._history.answers(asked)


class Away:
    """A database that does not answer, and counts."""

    def __init__(self, world: World) -> None:
        self.times = 0
        world.rig.master.loop._crew.lookout._history = self

    def answers(self, questions: Iterable[Any]) -> Any:
        """Be away."""
        self.times += 1
        raise StoreUnavailable(f"no answer to {len(list(questions))} questions")
