"""Every pair of states against the tables of the semantics, which are not taken from the code."""

from itertools import product

import pytest

from orchestrator.core.status import (
    TASK_ACTIVE,
    TASK_EDGES,
    TASK_FINAL,
    TASK_INITIAL,
    WORKFLOW_EDGES,
    WORKFLOW_FINAL,
    TaskState,
    WorkflowState,
    check_task_edge,
    check_workflow_edge,
)
from orchestrator.errors import IllegalTransition
from tests.edges import TASK_TABLE, WORKFLOW_TABLE


@pytest.mark.parametrize(("old", "new"), list(product(TaskState, TaskState)))
def test_task_edge_is_allowed_exactly_when_the_table_has_it(old: TaskState, new: TaskState) -> None:
    """Every pair of task states."""
    if new.value in TASK_TABLE[old.value].split():
        check_task_edge(old, new)
    else:
        with pytest.raises(IllegalTransition, match=f"{old} -> {new}"):
            check_task_edge(old, new)


@pytest.mark.parametrize(("old", "new"), list(product(WorkflowState, WorkflowState)))
def test_workflow_edge_is_allowed_exactly_when_the_table_has_it(
    old: WorkflowState, new: WorkflowState
) -> None:
    """Every pair of workflow states."""
    if new.value in WORKFLOW_TABLE[old.value].split():
        check_workflow_edge(old, new)
    else:
        with pytest.raises(IllegalTransition, match=f"{old} -> {new}"):
            check_workflow_edge(old, new)


def test_tables_name_every_state() -> None:
    """A new state must get its line here and in the code."""
    assert set(TASK_TABLE) == {state.value for state in TaskState} == {state.value for state in TASK_EDGES}
    assert (
        set(WORKFLOW_TABLE) == {one.value for one in WorkflowState} == {one.value for one in WORKFLOW_EDGES}
    )


def test_a_task_state_is_final_active_or_paused() -> None:
    """Only PAUSED is neither: it neither ends a run nor keeps it going."""
    assert set(TaskState) - TASK_FINAL - TASK_ACTIVE == {TaskState.PAUSED}
    assert not TASK_FINAL & TASK_ACTIVE


def test_attempts_begin_waiting_skipped_or_paused() -> None:
    """The first line of the table: what a decided task may begin as."""
    assert {state.value for state in TASK_INITIAL} == {"SUBMITTED", "DELAYED", "SKIPPED", "PAUSED"}


def test_a_run_has_three_final_states() -> None:
    """PAUSED is not one: it waits for a person."""
    assert {state.value for state in WORKFLOW_FINAL} == {"SUCCESS", "FAILURE", "STOPPED"}
