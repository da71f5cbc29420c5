"""Big workflows, a chain of 100,000 tasks among them, go through the core: no recursion error, and linear time."""

from collections.abc import Callable
from time import process_time

from orchestrator.core.definition import WorkflowDefinition
from orchestrator.core.status import TaskState, WorkflowState
from tests.integration.core.test_scale import chain, fan_out
from tests.unit.core.play import Play

SMALL, WIDE, LONG = 5_000, 30_000, 100_000
SLACK = 3
"""Linear is one, quadratic six and more; the rest is for a busy machine."""


def seconds_of(run: Callable[[int], None], number: int) -> float:
    """Return the processor time of a run with `number` tasks."""
    began = process_time()
    run(number)
    return process_time() - began


def run_all(definition: WorkflowDefinition) -> Play:
    """Run a workflow to its end: every task succeeds."""
    play = Play(definition, strict=False).start()
    while play.state is WorkflowState.RUNNING:
        play.settle()
        play.succeed(*play.instance.in_state(TaskState.SUBMITTED))
    return play


def run_chain(number: int) -> None:
    """Run a chain to its end."""
    play = run_all(chain(number))

    assert play.state is WorkflowState.SUCCESS
    assert len(play.rows) == number


def run_fan_out(number: int) -> None:
    """Run a fan-out and its join to their end."""
    play = run_all(fan_out(number))

    assert play.state is WorkflowState.SUCCESS
    assert len(play.rows) == number + 2


def test_a_chain_of_a_hundred_thousand_tasks_runs_in_linear_time() -> None:
    """From the definition to the last result."""
    assert seconds_of(run_chain, LONG) < SLACK * LONG / SMALL * seconds_of(run_chain, SMALL)


def test_a_wide_fan_out_runs_in_linear_time() -> None:
    """The join waits for all of them and starts once."""
    assert seconds_of(run_fan_out, WIDE) < SLACK * WIDE / SMALL * seconds_of(run_fan_out, SMALL)
