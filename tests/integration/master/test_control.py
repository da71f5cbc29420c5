"""Pause, resume and stop in every state: carried out, repeated and harmless, or refused with the reason."""

from collections.abc import Callable

import pytest
from sqlalchemy import insert

from orchestrator.core.command import CommandKind
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.store.schema import command
from orchestrator.store.session import writing
from tests.world import World, a_task, slot_of

PAUSE, RESUME, STOP = CommandKind.PAUSE, CommandKind.RESUME, CommandKind.STOP


def submit(world: World) -> None:
    """A diamond's beginning, with a retry."""
    world.submit(a_task("first", retries=1, retry_delay_s=5.0), a_task("second", "first"))


def in_broker(world: World) -> None:
    """The first task waits in the broker."""
    submit(world)
    world.settle()


def running(world: World) -> None:
    """The first task runs."""
    submit(world)
    world.started()


def delayed(world: World) -> None:
    """The first task waits for its retry."""
    running(world)
    (order,) = world.worker.held.values()
    world.worker.result(order, TaskState.FAILURE)
    world.settle()


def commanded(before: Callable[[World], None], *kinds: CommandKind) -> Callable[[World], None]:
    """Return an arrangement: commands given in the state that `before` makes."""

    def arrange(world: World) -> None:
        before(world)
        for kind in kinds:
            world.command(kind)
            world.settle()

    return arrange


def ended(world: World) -> None:
    """The run has ended."""
    in_broker(world)
    world.finish()


SITUATIONS: dict[str, Callable[[World], None]] = {
    "in broker": in_broker,
    "running": running,
    "delayed": delayed,
    "pausing": commanded(running, PAUSE),
    "paused": commanded(in_broker, PAUSE),
    "paused in a delay": commanded(delayed, PAUSE),
    "stopping": commanded(running, STOP),
    "stopped": commanded(in_broker, STOP),
    "ended": ended,
}

W = WorkflowState
OUTCOMES: list[tuple[str, CommandKind, WorkflowState, bool]] = [
    ("in broker", PAUSE, W.PAUSED, True),
    ("in broker", RESUME, W.RUNNING, True),
    ("in broker", STOP, W.STOPPED, True),
    ("running", PAUSE, W.PAUSING, True),
    ("running", RESUME, W.RUNNING, True),
    ("running", STOP, W.STOPPING, True),
    ("delayed", PAUSE, W.PAUSED, True),
    ("delayed", STOP, W.STOPPED, True),
    ("pausing", PAUSE, W.PAUSING, True),
    ("pausing", RESUME, W.RUNNING, True),
    ("pausing", STOP, W.STOPPING, True),
    ("paused", PAUSE, W.PAUSED, True),
    ("paused", RESUME, W.RUNNING, True),
    ("paused", STOP, W.STOPPED, True),
    ("paused in a delay", RESUME, W.RUNNING, True),
    ("paused in a delay", STOP, W.STOPPED, True),
    ("stopping", PAUSE, W.STOPPING, False),
    ("stopping", RESUME, W.STOPPING, False),
    ("stopping", STOP, W.STOPPING, True),
    ("stopped", PAUSE, W.STOPPED, False),
    ("stopped", RESUME, W.STOPPED, False),
    ("stopped", STOP, W.STOPPED, True),
    ("ended", PAUSE, W.SUCCESS, False),
    ("ended", RESUME, W.SUCCESS, False),
    ("ended", STOP, W.SUCCESS, False),
]
"""Situation, command, the state that follows, and whether the command fits."""


@pytest.mark.parametrize(("situation", "kind", "state", "fits"), OUTCOMES)
def test_a_command_is_carried_out_or_refused_with_the_reason(
    world: World, situation: str, kind: CommandKind, state: WorkflowState, *, fits: bool
) -> None:
    """What does not fit becomes a row of `error_command`; no command stays."""
    SITUATIONS[situation](world)

    world.command(kind)
    world.settle()

    assert world.state is state
    picture = world.picture()
    assert picture["commands"] == []
    assert picture["failed"] == ([] if fits else [kind])
    if not fits:
        assert kind.lower() in world.database()["error_command"][0]["reason"]
    world.assert_memory_equals_rows()


@pytest.mark.parametrize(
    "situation", ["in broker", "running", "delayed", "pausing", "paused", "paused in a delay"]
)
def test_a_run_that_was_paused_and_resumed_ends_as_if_nothing_had_been(world: World, situation: str) -> None:
    """Same rows, same attempts; nothing runs twice."""
    SITUATIONS[situation](world)
    world.command(PAUSE)
    world.settle()
    world.pass_time(30)
    world.command(RESUME)
    world.settle()

    held = list(world.worker.held.values())
    for order in held:
        world.worker.result(order)

    assert world.finish() is WorkflowState.SUCCESS
    assert len(world.worker.ran) == len(set(world.worker.ran))
    attempts = [1, 2, 1] if "delay" in situation else [1, 1]
    assert [row.attempt for row in world.rows()] == attempts


@pytest.mark.parametrize("situation", ["running", "pausing"])
def test_a_stop_ends_when_the_worker_has_killed_the_task(world: World, situation: str) -> None:
    """The worker is asked, and its RESULT ends the run STOPPED; nothing behind it starts."""
    SITUATIONS[situation](world)
    (order,) = world.worker.held.values()

    world.command(STOP)
    world.settle()
    assert world.broker.stops == {order.id}
    world.worker.result(order, TaskState.KILLED, reason="stop")
    world.settle()

    assert world.state is WorkflowState.STOPPED
    assert [row.state for row in world.rows()] == [TaskState.KILLED]


def test_a_stop_ends_when_the_worker_that_should_kill_the_task_is_gone(world: World) -> None:
    """Nobody will ever report: the loss of the worker confirms it."""
    running(world)
    world.worker.silent = True

    world.command(STOP)
    world.pass_time(60)

    assert world.state is WorkflowState.STOPPED
    assert world.attempt("first").state is TaskState.KILLED


def test_a_stop_that_nobody_heard_is_asked_for_again(world: World) -> None:
    """Redis forgot the request: it is repeated every re-send interval.

    Teeth: fails without `self._effects.repeat(…)` in `Rounds.step`.
    """
    running(world)
    world.command(STOP)
    world.settle()
    asked, world.broker.stops = world.broker.stops, set()

    world.pass_time(12)

    assert world.broker.stops == asked


def test_a_success_that_overtook_the_stop_counts(world: World) -> None:
    """The task had ended: the run is STOPPED because something is still to run, but the success stands."""
    running(world)
    (order,) = world.worker.held.values()
    world.command(STOP)
    world.settle()

    world.worker.result(order)
    world.settle()

    assert world.state is WorkflowState.STOPPED
    assert world.attempt("first").state is TaskState.SUCCESS


def test_a_run_paused_before_its_start_starts_when_it_is_resumed(world: World) -> None:
    """PAUSE and START stand in the table together: the run goes on once, after RESUME."""
    submit(world)
    world.command(PAUSE)
    world.settle()
    assert world.state in (WorkflowState.PAUSED, WorkflowState.PAUSING)
    world.command(RESUME)

    assert world.finish() is WorkflowState.SUCCESS
    assert [row.attempt for row in world.rows()] == [1, 1]


def test_a_command_of_unknown_kind_is_kept_with_its_reason_and_the_loop_goes_on(world: World) -> None:
    """I7 for commands: a row that nobody understands moves to `error_command`; the run behind it ends."""
    run = world.submit(a_task("only"))
    with writing(world.rig.engine) as connection:
        values = {"slot": slot_of(run), "workflow_instance_id": run, "kind": "DANCE", "body": {}}
        connection.execute(insert(command).values(**values, created_at=world.rig.clock.now()))
    world.rig.streams.wake(slot_of(run))

    assert world.finish() is WorkflowState.SUCCESS

    (failed,) = world.rig.commands.failed()
    assert (failed["kind"], "DANCE" in failed["reason"]) == ("DANCE", True)
    assert len(world.rig.commands.look([slot_of(run)], 10)) == 0
