"""Owns the Hypothesis strategies for random workflows and for what becomes of their tasks."""

from collections.abc import Mapping
from random import Random
from typing import Any

from hypothesis import strategies as st

from orchestrator.core.definition import OnFailure, TaskDefinition, Trigger, WorkflowDefinition
from tests.builders import a_definition, a_task
from tests.unit.core.reference import Script, Try

MOST_RETRIES = 2
_RARELY = st.sampled_from([False, False, False, False, True])


@st.composite
def definitions(draw: st.DrawFn, /, *, most: int = 30, **fields: Any) -> WorkflowDefinition:
    """Draw a workflow of 1 to `most` tasks with any triggers, disabled tasks and retries without delay."""
    number = draw(st.integers(1, most))
    tasks = [draw(_tasks(index)) for index in range(number)]
    return a_definition(*(reversed(tasks) if draw(st.booleans()) else tasks), **fields)


@st.composite
def timed_definitions(draw: st.DrawFn, /, *, most: int = 8) -> WorkflowDefinition:
    """Draw a small workflow with delays, timeouts and both failure strategies, too."""
    number = draw(st.integers(1, most))
    times: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
        {
            "delay_s": st.sampled_from([0.0, 0.0, 3.0]),
            "retry_delay_s": st.sampled_from([0.0, 5.0]),
            "timeout_s": st.sampled_from([None, 8.0]),
            "on_timeout": st.sampled_from(["fail", "warn"]),
        }
    )
    tasks = [draw(_tasks(index, **draw(times))) for index in range(number)]
    return a_definition(
        *tasks,
        on_failure=draw(st.sampled_from(OnFailure)),
        timeout_s=draw(st.sampled_from([None, 20.0])),
        on_timeout=draw(st.sampled_from(["alert", "stop"])),
    )


@st.composite
def _tasks(draw: st.DrawFn, /, index: int, **fields: Any) -> TaskDefinition:
    upstreams = st.lists(st.integers(0, index - 1), max_size=4, unique=True) if index else st.just([])
    return a_task(
        f"t{index}",
        *(f"t{number}" for number in draw(upstreams)),
        trigger=draw(st.sampled_from(Trigger)),
        disabled=draw(_RARELY),
        retries=draw(st.integers(0, MOST_RETRIES)),
        **fields,
    )


def scripts_for(definition: WorkflowDefinition, random: Random) -> Mapping[str, Script]:
    """Return what becomes of every try of every task; drawn from `random`, since thousands of draws cost."""
    return {
        task.name: [
            Try(
                state=random.choice(["SUCCESS", "SUCCESS", "FAILURE", "FAILURE", "KILLED"]),
                deaths=random.choice([0, 0, 0, 1, 2]),
                returned=random.choice([0, 0, 0, 1, 2]),
            )
            for _ in range(MOST_RETRIES + 1)
        ]
        for task in definition.tasks
    }
