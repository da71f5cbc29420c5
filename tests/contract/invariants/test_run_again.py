"""Recover, rerun and force-success by a master, on rows: what runs again, what stays, who is fenced."""

from collections.abc import Mapping

import pytest

from orchestrator.core.command import CommandKind
from orchestrator.core.event import TaskResult
from orchestrator.core.order import Order
from orchestrator.core.status import TaskState, WorkflowState
from tests.contract.invariants.conftest import MakeWorld
from tests.world import World, a_task

RECOVER, RERUN, FORCE = CommandKind.RECOVER, CommandKind.RERUN, CommandKind.FORCE_SUCCESS
STOP = CommandKind.STOP
BIG = "x" * 2000


def chain_that_failed(world: World, **fields: object) -> None:
    """`first` -> `second` -> `third`; the second failed, the first has outputs that memory does not keep."""
    world.submit(
        a_task("first"),
        a_task("second", "first", spec={"run": "${first.text}"}),
        a_task("third", "second"),
        **fields,
    )
    play(world, {"first": {"text": BIG}}, failing="second")
    assert world.state is WorkflowState.FAILURE


def play(world: World, outputs: Mapping[str, Mapping[str, object]], failing: str = "") -> list[Order]:
    """Run what is handed over, wave after wave; return the orders."""
    orders: list[Order] = []
    world.settle()
    while taken := world.worker.take_all():
        for task, order in taken.items():
            orders.append(order)
            world.worker.running(order)
            state = TaskState.FAILURE if task == failing else TaskState.SUCCESS
            world.worker.result(order, state, outputs=outputs.get(task, {}))
        world.settle()
    return orders


def numbers(world: World) -> list[tuple[str, int, bool]]:
    """Return every attempt: its task, its number, and whether it is the current one."""
    return sorted((row.task, row.attempt, row.current) for row in world.rows())


def test_recover_goes_on_from_what_failed(make_world: MakeWorld) -> None:
    """The success keeps its row, and its stored outputs reach the new attempt."""
    world = make_world()
    chain_that_failed(world)

    world.command(RECOVER, run_count=1)
    orders = play(world, {})

    assert world.state is WorkflowState.SUCCESS
    assert numbers(world) == [
        ("first", 1, True),
        ("second", 1, False),
        ("second", 2, True),
        ("third", 1, True),
    ]
    assert (orders[0].attempt, orders[0].run_count) == (2, 2)
    assert orders[0].idempotency_key == f"{world.run}:second:2"
    assert world.attempt("first").outputs == {"text": BIG}


@pytest.mark.parametrize("at", ["created", "owed"])
def test_a_crash_after_the_command_forgets_nothing(make_world: MakeWorld, at: str) -> None:
    """The next master counts on where the last attempt was, whether its successor exists already or not."""
    world = make_world()
    chain_that_failed(world)
    world.command(RERUN, run_count=1)
    world.step()
    assert world.instance.spent == {"second": 1}
    if at == "owed":
        world.step()
    world.restart_master()
    assert world.instance.spent == {"second": 1}
    world.assert_memory_equals_rows()

    assert world.finish() is WorkflowState.SUCCESS

    assert [one[:2] for one in numbers(world) if one[2]] == [("first", 2), ("second", 2), ("third", 1)]


def test_a_late_report_of_an_earlier_run_count_changes_nothing(make_world: MakeWorld) -> None:
    """Of a task that waits for its turn as of one that has its new attempt: the verdict is `stale`."""
    world = make_world()
    world.submit(a_task("first"), a_task("second", "first"))
    world.finish()
    first, second = world.rows()
    world.command(RERUN, run_count=1)
    world.settle()

    late = [world.say(row, TaskResult, state=TaskState.FAILURE) for row in (first, second)]
    world.settle()

    assert [world.verdict(entry) for entry in late] == ["stale", "stale"]
    assert world.attempt("first").state is TaskState.DISPATCHED
    world.assert_memory_equals_rows()
    assert world.finish() is WorkflowState.SUCCESS


def test_outputs_of_earlier_attempts_count_no_longer(make_world: MakeWorld) -> None:
    """A rerun whose upstream says something else hands that on."""
    world = make_world()
    task = a_task("second", "first", params={"said": "${first.said}"})
    world.submit(a_task("first"), task, a_task("third", "second"))
    play(world, {"first": {"said": "old"}})

    world.command(RERUN, run_count=1)
    orders = play(world, {"first": {"said": "new"}})

    assert [order.params for order in orders if order.task == "second"] == [{"said": "new"}]
    assert world.state is WorkflowState.SUCCESS


def test_outputs_are_looked_up_anew_when_end_and_rerun_are_one_batch(make_world: MakeWorld) -> None:
    """What the dispatcher remembers of a run is about attempts that count no longer.

    Teeth: fails without the look at `began_again` in `Aftermath._follow`.
    """
    world = make_world()
    tasks = (a_task("a"), a_task("b", "a", retries=1), a_task("c", "b", params={"said": "${said}"}))
    world.submit(*tasks)
    world.settle()
    world.worker.result(world.taken(), outputs={"said": "a"})
    world.settle()
    world.worker.result(world.taken(), outputs={"other": "b"})
    world.settle()
    world.worker.result(world.taken())
    world.read()
    world.command(RERUN, run_count=1)

    orders = play(world, {"a": {"other": "a"}, "b": {"said": "b"}})

    assert [order.params for order in orders if order.task == "c"] == [{"said": "b"}]
    assert world.state is WorkflowState.SUCCESS


def test_recover_twice_is_one_recovery(make_world: MakeWorld) -> None:
    """Both commands are taken; the second changes nothing, in the same batch or later, and nothing is left."""
    world = make_world()
    chain_that_failed(world)
    world.command(RECOVER, run_count=1)
    world.command(RECOVER, run_count=1)
    world.settle()
    world.command(RECOVER, run_count=1)

    assert world.finish() is WorkflowState.SUCCESS

    assert numbers(world)[-2:] == [("second", 2, True), ("third", 1, True)]
    assert (world.picture()["commands"], world.picture()["failed"]) == ([], [])


def test_a_command_that_does_not_fit_is_kept_with_the_reason(make_world: MakeWorld) -> None:
    """A success has nothing to recover; the run stays out of memory, and as it was."""
    world = make_world()
    world.submit(a_task("only"))
    world.finish()
    before = world.database()["task_instance"]

    world.command(RECOVER, run_count=1)
    world.settle()

    (failed,) = world.database()["error_command"]
    assert "has ended SUCCESS: it cannot be asked to recover" in failed["reason"]
    assert world.database()["task_instance"] == before
    assert len(world.rig.master.lanes) == 0


def test_a_forced_success_stands_in_the_row_and_lets_recover_go_on(make_world: MakeWorld) -> None:
    """The run stays FAILURE and out of memory until it is recovered; the outputs reach what is behind."""
    world = make_world()
    chain_that_failed(world)
    world.command(FORCE, task="second", attempt=1, outputs={"rows": 3})
    world.settle()
    assert (world.attempt("second").state, world.state) == (TaskState.FORCED_SUCCESS, WorkflowState.FAILURE)
    assert world.attempt("second").outputs == {"rows": 3}
    assert len(world.rig.master.lanes) == 0

    world.command(RECOVER, run_count=1)

    assert world.finish() is WorkflowState.SUCCESS
    assert numbers(world) == [("first", 1, True), ("second", 1, True), ("third", 1, True)]


def test_force_and_recover_can_be_one_batch(make_world: MakeWorld) -> None:
    """Also where what was forced runs again itself: it stands behind another failure."""
    world = make_world()
    world.submit(a_task("a"), a_task("b", "a", trigger="all_done"), a_task("c", "b"))
    world.settle()
    world.worker.result(world.taken(), TaskState.FAILURE)
    world.settle()
    world.worker.result(world.taken(), TaskState.FAILURE)
    world.settle()
    assert world.state is WorkflowState.FAILURE

    world.command(FORCE, task="b", outputs={"rows": 3})
    world.command(RECOVER, run_count=1)

    assert world.finish() is WorkflowState.SUCCESS
    assert numbers(world) == [
        ("a", 1, False),
        ("a", 2, True),
        ("b", 1, False),
        ("b", 2, True),
        ("c", 1, True),
    ]


def test_a_run_that_is_recovered_while_it_is_stopped_again_ends_stopped(make_world: MakeWorld) -> None:
    """RECOVER and STOP stand in the table together: the run begins again and is stopped."""
    world = make_world()
    chain_that_failed(world)
    world.command(RECOVER, run_count=1)
    world.command(STOP)
    world.settle()

    assert world.state is WorkflowState.STOPPED
    world.command(RECOVER, run_count=2)
    assert world.finish() is WorkflowState.SUCCESS
    assert world.attempt("second").attempt == 3


def test_a_broken_definition_can_not_be_recovered(make_world: MakeWorld) -> None:
    """The answer is the reason why it never started."""
    world = make_world()
    world.submit(a_task("a", "b"), a_task("b", "a"))
    world.settle()
    assert world.state is WorkflowState.FAILURE

    world.command(RECOVER, run_count=1)
    world.settle()

    assert "can never start" in world.database()["error_command"][0]["reason"]
