"""How a run ends when nothing is active any more, row by row."""

import pytest

from orchestrator.core.convergence import final_state
from orchestrator.core.status import TaskState, WorkflowState

RUNNING, PAUSING, PAUSED, STOPPING = (
    WorkflowState(name) for name in ("RUNNING", "PAUSING", "PAUSED", "STOPPING")
)

TABLE = [
    # state of the run, an attempt that there is, a failure that counts, something still to run, how it ends
    (RUNNING, None, False, False, "SUCCESS"),
    (RUNNING, "FAILURE", True, False, "FAILURE"),
    (RUNNING, "KILLED", True, False, "FAILURE"),
    (RUNNING, "FAILURE", False, False, "SUCCESS"),
    (PAUSING, None, False, False, "SUCCESS"),
    (PAUSING, "FAILURE", True, False, "FAILURE"),
    (PAUSING, "PAUSED", False, False, "PAUSED"),
    (PAUSING, "PAUSED", True, False, "PAUSED"),
    (PAUSING, None, False, True, "PAUSED"),
    (PAUSING, None, True, True, "PAUSED"),
    (STOPPING, None, False, False, "SUCCESS"),
    (STOPPING, "FAILURE", True, False, "FAILURE"),
    (STOPPING, "KILLED", True, False, "STOPPED"),
    (STOPPING, "KILLED", False, False, "STOPPED"),
    (STOPPING, None, False, True, "STOPPED"),
    (STOPPING, None, True, True, "STOPPED"),
    (PAUSED, None, False, False, "STOPPED"),
]


@pytest.mark.parametrize(("state", "attempt", "failed", "owes", "end"), TABLE)
def test_a_run_ends_as_the_table_says(
    state: WorkflowState,
    attempt: str | None,
    failed: bool,  # noqa: FBT001  a table
    owes: bool,  # noqa: FBT001  a table
    end: str,
) -> None:
    """By its state, what was paused or killed, what failed unabsorbed, and what never ran."""

    def count(*states: TaskState) -> int:
        return int(attempt in states)

    assert final_state(state, count, failed=failed, owes=owes) == end
