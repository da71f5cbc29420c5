"""Timers: deferral, the second line of timeouts, the run's own timeout; none is lost, none comes too early."""

from datetime import timedelta

from orchestrator.core.command import CommandKind
from orchestrator.core.notice import AttemptDue
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.errors import StoreUnavailable
from orchestrator.master.items import NoticeItem
from tests.contract.invariants.faults import raising
from tests.world import World, a_task


def test_a_deferred_task_is_called_again_as_the_same_attempt(world: World) -> None:
    """DELAY ends the hand-over; the next dispatch goes out when the time is over, not before."""
    world.submit(a_task("only", timeout_s=100.0))
    order = world.started()
    world.worker.delay(order, 30.0)
    world.settle()
    assert world.attempt("only").state is TaskState.DELAYED

    world.pass_time(29)
    assert len(world.broker.published) == 1
    world.pass_time(2)
    again = world.started()

    assert (again.attempt, again.dispatch) == (1, 2)
    assert again.timeout_s is not None
    assert 65 <= again.timeout_s <= 71


def test_an_attempt_whose_worker_says_nothing_fails_by_the_second_line(world: World) -> None:
    """Timeout, the time to kill, one re-send interval: then the master decides; the late report is stale."""
    world.submit(a_task("only", timeout_s=20.0))
    order = world.started()

    world.pass_time(33)
    assert world.attempt("only").state is TaskState.RUNNING
    world.pass_time(4)

    assert (world.attempt("only").state, world.attempt("only").reason) == (TaskState.FAILURE, "timeout")
    assert world.state is WorkflowState.FAILURE
    assert "task_timeout:run:1:only:1" in world.picture()["alerts"]
    late = world.worker.result(order)
    world.settle()
    assert world.verdict(late) == "stale"


def test_a_result_that_waits_in_the_stream_precedes_the_timeout(world: World) -> None:
    """The timer accuses: it waits until the stream was read to its end after the due time.

    Teeth: fails without `may_accuse` in `Intake._held_back`.
    """
    world.submit(a_task("only", timeout_s=20.0))
    order = world.started()
    world.pass_time(30)

    world.rig.clock.advance(10.0)
    world.worker.beat(world.rig.beats)
    entry = world.worker.result(order)
    world.step()
    world.settle()

    assert world.verdict(entry) == "ok"
    assert world.state is WorkflowState.SUCCESS


def test_an_outage_after_the_timeout_does_not_count_for_the_second_line(world: World) -> None:
    """The worker ends the task in its time, and cannot say so: it has as long to say it as without the outage."""
    world.submit(a_task("only", timeout_s=20.0))
    order = world.started()
    world.pass_time(22)
    with raising(StoreUnavailable("away"))(world):
        world.worker.running(order)  # said again: somebody has to find out that nothing can be committed
        world.pass_time(60)

    world.pass_time(14)
    assert world.attempt("only").state is TaskState.RUNNING
    world.worker.result(order)
    world.settle()

    assert world.state is WorkflowState.SUCCESS


def test_a_warning_lets_the_task_go_on(world: World) -> None:
    """`on_timeout: warn` is an alert, once, and nothing else."""
    world.submit(a_task("only", timeout_s=20.0, on_timeout="warn"))
    order = world.started()

    world.pass_time(100)
    assert world.attempt("only").state is TaskState.RUNNING
    world.worker.result(order)
    world.settle()

    assert world.state is WorkflowState.SUCCESS
    assert world.picture()["alerts"] == ["task_timeout:run:1:only:1"]


def test_paused_time_does_not_count_for_the_runs_timeout(world: World) -> None:
    """Thirty seconds of running, not of waiting for a person."""
    world.submit(a_task("only"), timeout_s=30.0, on_timeout="stop")
    world.settle()
    world.pass_time(10)
    world.command(CommandKind.PAUSE)
    world.settle()
    world.pass_time(100)
    world.command(CommandKind.RESUME)
    world.settle()

    world.pass_time(15)
    assert world.state == "RUNNING"
    world.pass_time(10)

    assert world.state is WorkflowState.STOPPED
    assert world.picture()["alerts"] == ["workflow_timeout:run:1:"]


def test_a_timer_that_came_too_early_comes_again(world: World) -> None:
    """The database's clock is learned at each commit and may step back a little: the wait is not forgotten.

    Teeth: fails without `self._ask_again(…)` in `Loop._act`.
    """
    world.submit(a_task("only", delay_s=10.0))
    world.settle()
    world.rig.master.desk.timers.take_due(world.rig.clock.now() + timedelta(seconds=60), 10)
    row = world.attempt("only")
    notice = AttemptDue(
        workflow_instance_id=world.run, task="only", attempt=row.attempt, dispatch=row.dispatch
    )
    world.rig.master.inbox.put_notices([NoticeItem(notice)])
    world.settle()
    assert world.attempt("only").state is TaskState.DELAYED

    world.pass_time(12)

    assert world.attempt("only").state is TaskState.DISPATCHED


def test_timers_are_rebuilt_from_rows(world: World) -> None:
    """Another master keeps every date: a delay, an attempt's timeout, the run's timeout."""
    world.submit(
        a_task("waits", delay_s=40.0), a_task("runs", timeout_s=20.0), timeout_s=60.0, on_timeout="stop"
    )
    world.settle()
    world.started()
    world.restart_master()

    world.pass_time(39)
    assert world.attempt("runs").state is TaskState.FAILURE
    assert world.attempt("waits").state is TaskState.DELAYED
    world.pass_time(3)
    assert world.attempt("waits").state is TaskState.DISPATCHED
    world.pass_time(20)

    assert world.state is WorkflowState.STOPPED
