"""Random walks through everything that can be said about a run.

`Play` checks after every step that the inverse restores memory field by field (I2), that memory is what the rows
say, that loading the rows gives the same counters and debts, and that no finished attempt changed (I4).
"""

from dataclasses import replace
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.core.definition import WorkflowDefinition
from tests.unit.core.strategies import timed_definitions
from tests.unit.core.walk import Walk, bring_to_its_end, left_over

STEPS = 40


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(definition=timed_definitions(), seed=st.integers(0, 2**32))
def test_whatever_is_said_about_a_run_it_can_be_undone_loaded_and_ended(
    definition: WorkflowDefinition, seed: int
) -> None:
    """No sequence of reports, commands and notices leaves a run stuck, or ended with a row that is not."""
    # Seen to fail without head, current or nodes in the inverse of `WorkflowInstance.apply`.
    play = Walk(definition, Random(seed)).wander(STEPS)  # noqa: S311  repeatable on purpose

    bring_to_its_end(play)

    assert left_over(play) == []
    assert play.head.ended_at is not None


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(definition=timed_definitions(), seed=st.integers(0, 2**32))
def test_whatever_is_said_about_maps_they_can_be_undone_loaded_and_ended(
    definition: WorkflowDefinition, seed: int
) -> None:
    """Their counters and debts follow from their rows after every step, and no map waits for ever."""
    # Seen to fail without the look at `stirred` maps when the run's state turns, in `tend_maps`.
    dice = Random(seed)  # noqa: S311  repeatable on purpose
    tasks = tuple(
        replace(task, map_over="${list}", max_parallel=dice.choice([None, 1, 2]))
        if dice.random() < 0.6
        else task
        for task in definition.tasks
    )
    play = Walk(replace(definition, tasks=tasks), dice).wander(STEPS)

    bring_to_its_end(play)

    assert left_over(play) == []
