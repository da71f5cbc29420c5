"""What a row asks for: the whole table of attempt and run, so that going on and taking over are the same code."""

from datetime import timedelta
from typing import Any

import pytest

from orchestrator.core.definition import Trigger
from orchestrator.core.status import TASK_FINAL, TaskState, WorkflowState
from orchestrator.core.wants import (
    Dispatch,
    Kill,
    Look,
    Overdue,
    Recall,
    TimeoutAt,
    WakeAt,
    Want,
    Withdraw,
    wants,
)
from tests.builders import NOW, a_head, a_task, an_attempt

LATER = NOW + timedelta(seconds=60)
RUNNING, PAUSING, STOPPING = WorkflowState.RUNNING, WorkflowState.PAUSING, WorkflowState.STOPPING
OWNED = {"worker": "w1", "incarnation": "w1-1"}

# Attempt's state, its other fields, then what it asks for while the run is RUNNING, PAUSING, STOPPING.
TABLE: list[tuple[TaskState, dict[str, Any], Want | None, Want | None, Want | None]] = [
    (TaskState.SUBMITTED, {}, Dispatch(), Recall(), Recall()),
    (TaskState.SUBMITTED, {"due_at": LATER}, WakeAt(LATER), Recall(), Recall()),
    (TaskState.SUBMITTED, OWNED, None, None, None),
    (TaskState.DISPATCHED, {"dispatched_at": NOW}, Overdue(NOW), Recall(), Recall()),
    (TaskState.DISPATCHED, {}, Recall(), Recall(), Recall()),
    (TaskState.DISPATCHED, {"dispatched_at": NOW, **OWNED}, None, None, None),
    (TaskState.DELAYED, {"due_at": LATER}, WakeAt(LATER), WakeAt(LATER), WakeAt(LATER)),
    (TaskState.RUNNING, OWNED, None, None, Kill()),
    (TaskState.RUNNING, {"timeout_at": LATER, **OWNED}, TimeoutAt(LATER), TimeoutAt(LATER), Kill()),
    (TaskState.PAUSED, {}, None, None, None),
]


@pytest.mark.parametrize(
    ("state", "fields", "run", "want"),
    [
        (state, fields, run, want)
        for state, fields, *answers in TABLE
        for run, want in zip((RUNNING, PAUSING, STOPPING), answers, strict=True)
    ],
)
def test_row_asks_for_what_the_table_says(
    state: TaskState, fields: dict[str, Any], run: WorkflowState, want: Want | None
) -> None:
    """Each state of an attempt under each state of an active run."""
    assert wants(a_head(state=run), a_task(), an_attempt(state=state, **fields)) == want


@pytest.mark.parametrize("state", sorted(TASK_FINAL))
@pytest.mark.parametrize("run", sorted(WorkflowState))
def test_a_finished_attempt_asks_for_nothing(state: TaskState, run: WorkflowState) -> None:
    """Whatever its times and its owner say."""
    row = an_attempt(state=state, due_at=LATER, timeout_at=LATER, dispatched_at=NOW)

    assert wants(a_head(state=run, ending=True), a_task(), row) is None


@pytest.mark.parametrize(
    ("trigger", "ready", "running"),
    [(Trigger.ALL_SUCCESS, Recall(), Kill()), (Trigger.ALL_DONE, Dispatch(), TimeoutAt(LATER))],
)
def test_an_ending_run_spares_its_clean_up(trigger: Trigger, ready: Want, running: Want) -> None:
    """`on_failure: end`: active tasks are killed, clean-up goes on."""
    head, task = a_head(state=RUNNING, ending=True), a_task(trigger=trigger)

    assert wants(head, task, an_attempt()) == ready
    assert wants(head, task, an_attempt(state=TaskState.RUNNING, timeout_at=LATER)) == running


@pytest.mark.parametrize(("run", "want"), [(RUNNING, Look()), (PAUSING, Look()), (STOPPING, Withdraw())])
def test_a_dependent_task_asks_to_be_looked_after(run: WorkflowState, want: Want) -> None:
    """Whether its time is up is part of the look."""
    row = an_attempt(state=TaskState.RUNNING, timeout_at=LATER)

    assert wants(a_head(state=run), a_task(type="dependent"), row) == want
