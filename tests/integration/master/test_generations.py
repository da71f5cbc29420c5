"""A wiped Redis: what the broker had is taken back and goes out again, once; what runs goes on."""

from orchestrator.core.status import TaskState, WorkflowState
from tests.world import World, a_task


def wipe(world: World) -> None:
    """Redis starts again without its data."""
    world.broker.wipe()
    world.streams.wipe()


def test_what_was_in_the_broker_goes_out_again_once(world: World) -> None:
    """After one heartbeat and one re-send interval: recalled, and dispatched again."""
    world.submit(a_task("only"))
    world.settle()
    wipe(world)

    world.pass_time(12)
    assert len(world.broker.published) == 1
    world.pass_time(8)

    assert world.broker.published == [f"{world.run}:only:1:1", f"{world.run}:only:1:2"]
    assert world.finish() is WorkflowState.SUCCESS
    assert len(world.worker.ran) == 1


def test_what_runs_on_a_living_worker_goes_on(world: World) -> None:
    """It lists the attempt: nothing is recalled, the same attempt ends."""
    world.submit(a_task("only"))
    order = world.started()
    wipe(world)

    world.pass_time(60)
    world.worker.result(order)
    world.settle()

    assert [(row.attempt, row.dispatch, row.state) for row in world.rows()] == [(1, 1, TaskState.SUCCESS)]


def test_a_claimed_order_that_its_worker_lists_is_not_recalled(world: World) -> None:
    """Claimed before the wipe, RUNNING not heard yet: the claim is gone, the heartbeat is not.

    Teeth: fails without the look at `listed` in `Reaper._after_new_generation`.
    """
    world.submit(a_task("only"))
    world.settle()
    order = world.taken()
    wipe(world)

    world.pass_time(20)
    world.worker.running(order)
    world.worker.result(order)
    world.settle()

    assert [(row.attempt, row.dispatch, row.state) for row in world.rows()] == [(1, 1, TaskState.SUCCESS)]


def test_a_wipe_that_the_messenger_noticed_first_is_noticed(world: World) -> None:
    """Publishing asks for the generation, too: whoever asked first, what was lost goes out again soon.

    Teeth: fails without the comparison with `_generation` in `Membership.step`.
    """
    world.pass_time(20)
    world.submit(a_task("only"))
    world.settle()
    wipe(world)
    world.broker.is_new = False  # the messenger has made, and seen, the new one

    world.pass_time(20)

    assert world.broker.published == [f"{world.run}:only:1:1", f"{world.run}:only:1:2"]


def test_what_was_published_after_the_wipe_is_not_recalled(world: World) -> None:
    """Only what was handed over before the new generation is lost.

    Teeth: fails without the look at `dispatched_at` in `Reaper._after_new_generation`.
    """
    world.settle()
    wipe(world)
    world.settle()
    world.pass_time(1)
    world.submit(a_task("only"))
    world.settle()

    world.pass_time(20)

    assert world.broker.published == [f"{world.run}:only:1:1"]


def test_entries_that_came_back_with_an_older_copy_are_read_again(world: World) -> None:
    """They had their verdict, and stand in the reader's own name again: new ones do not show them.

    Teeth: fails when a new generation does not let the reader begin again.
    """
    world.submit(a_task("only"))
    entry = world.worker.running(world.started())
    world.settle()
    before = world.verdicts(entry)
    world.streams._pending.setdefault(entry.slot, {})[entry.id] = entry
    world.broker.wipe()

    world.pass_time(10)

    assert world.verdicts(entry) == before + 1
    assert world.streams.waiting == 0
