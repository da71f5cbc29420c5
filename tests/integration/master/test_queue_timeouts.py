"""Queue timeouts in the master: nobody starts what was given up, and what was claimed goes on."""

from orchestrator.core.command import CommandKind
from orchestrator.core.status import TaskState, WorkflowState
from tests.world import World, a_task


def states(world: World) -> set[TaskState]:
    """Return the states that occur."""
    return {row.state for row in world.rows()}


def test_a_message_that_nobody_took_in_time_never_starts(world: World) -> None:
    """It is still in the queue: whoever takes it then is refused."""
    world.submit(a_task("only", queue_timeout_s=30.0))
    world.pass_time(29)
    assert states(world) == {TaskState.DISPATCHED}

    world.pass_time(3)

    assert (world.state, world.attempt("only").reason) == (WorkflowState.FAILURE, "queue timeout")
    assert world.worker.take() is None


def test_what_waits_for_room_in_the_broker_is_given_up_too(world: World) -> None:
    """It never left the master: no message is made of it any more."""
    world.submit(*(a_task(f"t{number:02}", queue_timeout_s=30.0) for number in range(40)))
    world.settle()
    assert states(world) == {TaskState.SUBMITTED, TaskState.DISPATCHED}
    waiting = {row.task for row in world.rows() if row.state is TaskState.SUBMITTED}

    world.pass_time(33)

    assert states(world) == {TaskState.FAILURE}
    assert not waiting & {order_id.split(":")[1] for order_id in world.broker.published}


def test_a_group_that_nobody_serves_is_such_a_wait(world: World) -> None:
    """No worker, no message."""
    world.submit(a_task("only", queue_timeout_s=30.0, worker_group="gpu"))

    world.pass_time(33)

    assert (world.state, world.attempt("only").reason) == (WorkflowState.FAILURE, "queue timeout")


def test_what_a_worker_has_claimed_goes_on(world: World) -> None:
    """Its RUNNING has not been heard yet."""
    world.submit(a_task("only", queue_timeout_s=30.0))
    world.pass_time(29)
    order = world.taken()

    world.pass_time(5)
    assert world.attempt("only").worker == "w1@rig"
    world.worker.running(order)
    world.worker.result(order)
    world.settle()

    assert world.state is WorkflowState.SUCCESS


def test_a_running_that_waits_in_the_stream_is_read_first(world: World) -> None:
    """After an outage the time counts in which somebody could have begun it, and said so."""
    world.submit(a_task("only", queue_timeout_s=30.0))
    world.settle()
    order = world.taken()
    world.worker.running(order)
    world.streams.away = True
    for _ in range(60):
        world.rig.clock.advance(1.0)
        world.rig.turn()
    world.streams.away = False

    world.pass_time(1)

    assert (world.attempt("only").state, world.attempt("only").reason) == (TaskState.RUNNING, None)


def test_the_next_master_gives_up_what_the_last_one_could_not(world: World) -> None:
    """The row has the time; only a master's own time counts against a worker."""
    # Teeth: fails without `vigils.note` in `Effects.enact` for rows that were loaded.
    world.submit(a_task("only", queue_timeout_s=30.0))
    world.pass_time(20)
    world.restart_master()

    world.pass_time(45)

    assert (world.state, world.attempt("only").reason) == (WorkflowState.FAILURE, "queue timeout")


def test_a_master_that_dies_between_timeout_and_recall_leaves_it_in_the_row(world: World) -> None:
    """The next one asks who has it."""
    world.submit(a_task("only", queue_timeout_s=30.0))
    world.pass_time(29)
    for _ in range(20):
        world.rig.clock.advance(1.0)
        world.read()
        world.step()
        if world.attempt("only").reason:
            break
    assert (world.attempt("only").state, world.attempt("only").reason) == (
        TaskState.DISPATCHED,
        "queue timeout",
    )
    world.restart_master()

    world.pass_time(2)

    assert world.state is WorkflowState.FAILURE


def test_a_warning_lets_it_wait_on_and_a_stop_leaves_no_timer(world: World) -> None:
    """The alert is in the outbox, once."""
    world.submit(a_task("only", queue_timeout_s=30.0, on_queue_timeout="warn"))
    world.pass_time(40)
    assert [row["kind"] for row in world.database()["outbox"]] == ["queue_timeout"]
    assert states(world) == {TaskState.DISPATCHED}

    world.command(CommandKind.STOP)
    world.settle()

    assert world.state is WorkflowState.STOPPED
    assert len(world.rig.master.desk.timers) == 0
