"""Big graphs: no recursion, and a step costs what it changes, however many tasks the workflow has.

Operations are counted (nodes and rows of each transition); only reading is measured, with a generous bound.
"""

from collections.abc import Callable
from sys import getsizeof
from time import process_time

import pytest

from orchestrator.core.definition import Trigger, WorkflowDefinition
from orchestrator.core.status import WorkflowState
from orchestrator.core.transition import Transition
from tests.builders import a_definition, a_task
from tests.unit.core.play import Play

SMALL, LONG, BIG = 500, 3_000, 10_000
STEPS = 100


def chain(number: int) -> WorkflowDefinition:
    """Define `number` tasks in a row."""
    return a_definition(a_task("t0"), *(a_task(f"t{one}", f"t{one - 1}") for one in range(1, number)))


def fan_out(number: int) -> WorkflowDefinition:
    """Define one task, `number` tasks behind it, and one behind all of these."""
    names = [f"t{one}" for one in range(number)]
    return a_definition(a_task("s"), *(a_task(name, "s") for name in names), a_task("z", *names))


def started(definition: WorkflowDefinition) -> Play:
    """Return a started run that is not compared with its rows after each step."""
    return Play(definition, strict=False).start()


def size_of(transition: Transition) -> int:
    """Return how many values a transition touches."""
    return sum(map(len, (transition.current, transition.nodes, transition.inserted, transition.updated)))


def first_of_chain(number: int) -> Callable[[], None]:
    """Return what lets the next task of a chain of `number` tasks succeed."""
    play, names = started(chain(number)), iter(range(number))
    return lambda: play.succeed(f"t{next(names)}")


def first_of_fan_out(number: int) -> Callable[[], None]:
    """Return what lets the next of `number` parallel tasks succeed."""
    play, names = started(fan_out(number)), iter(range(number))
    play.succeed("s")
    play.settle()
    return lambda: play.succeed(f"t{next(names)}")


def seconds_of(step: Callable[[], None]) -> float:
    """Return the processor time of the quickest of five series of steps."""
    times = []
    for _ in range(5):
        began = process_time()
        for _ in range(STEPS // 5):
            step()
        times.append(process_time() - began)
    return min(times)


@pytest.mark.parametrize("steps_of", [first_of_chain, first_of_fan_out])
def test_a_step_costs_the_same_in_a_big_workflow(steps_of: Callable[[int], Callable[[], None]]) -> None:
    """R5: twenty times the tasks, the same time a step (a scan of the tasks would take twenty times as long)."""
    assert seconds_of(steps_of(BIG)) < 6 * seconds_of(steps_of(SMALL))


def test_each_result_in_a_chain_touches_its_task_and_the_next() -> None:
    """Two attempts, the nodes of both and no more."""
    play = started(chain(LONG))
    for number in range(STEPS):
        play.succeed(f"t{number}")
        assert size_of(play.last) <= 7


def test_a_failure_runs_through_a_long_chain_without_recursion() -> None:
    """Every task behind it is not run; no row is written for them, and the run ends."""
    play = started(chain(LONG))
    play.fail("t0")

    assert play.state is WorkflowState.FAILURE
    assert len(play.rows) == 1
    assert len(play.last.nodes) == LONG


def test_a_long_chain_is_skipped_in_steps_without_recursion() -> None:
    """Skipping writes rows, at most 1,000 a step, and needs no deep stack either."""
    skipped = (a_task(f"t{one}", f"t{one - 1}") for one in range(2, LONG))
    play = started(a_definition(a_task("t0"), a_task("t1", "t0", trigger=Trigger.ONE_FAILED), *skipped))
    play.succeed("t0")
    assert len(play.last.inserted) == 1000

    assert play.settle() == 2
    assert play.state is WorkflowState.SUCCESS


def test_a_fan_out_is_created_in_steps_of_a_thousand_rows() -> None:
    """100,000 successors must not block the loop: each step touches what it creates."""
    play = started(fan_out(LONG))
    play.succeed("s")
    assert (len(play.last.inserted), len(play.last.nodes)) == (1000, LONG + 1)

    while play.instance.is_unsettled:
        play.go_on()
        assert (len(play.last.inserted), len(play.last.nodes)) == (1000, 1000)

    assert len(play.rows) == LONG + 1
    play.succeed("t0")
    assert size_of(play.last) <= 5


def test_what_was_owed_once_costs_nothing_later() -> None:
    """Reading a dict costs what it once held until it is cleared: one that emptied must be as good as new."""
    play = started(fan_out(LONG))
    play.succeed("s")
    assert getsizeof(play.instance.owed) > getsizeof({})

    play.settle()

    assert getsizeof(play.instance.owed) == getsizeof({})
