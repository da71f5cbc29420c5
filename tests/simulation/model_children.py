"""Owns the model's reading of sub-workflows: a task that calls a workflow ends as the run it waited for."""

from collections.abc import Iterator, Sequence

from tests.simulation.model_attempts import SeenAttempt
from tests.simulation.plan import Script

ENDS_WITH = {"SUCCESS": "SUCCESS", "FAILURE": "FAILURE", "STOPPED": "KILLED"}
"""How a run ended, to how the attempt does that waited for it."""


def script_of(rows: Sequence[SeenAttempt]) -> Script:
    """Return the script that the attempts of a call follow: each failed run is a failed attempt."""
    return Script(failures=sum((_end(row) or row.state) == "FAILURE" for row in rows))


def call_faults(rows: Sequence[SeenAttempt]) -> Iterator[str]:
    """Yield where attempts and the runs that they waited for ended differently."""
    for row in rows:
        if row.state == "LOST":
            yield f"attempt {row.attempt} is LOST, and no worker had it"
        elif row.child_state is None and row.state != "KILLED":
            yield f"attempt {row.attempt} is {row.state}, and no run was started for it"
        elif row.child_state is not None and _end(row) != row.state:
            yield f"attempt {row.attempt} is {row.state}, and its run is {row.child_state}"


def _end(row: SeenAttempt) -> str | None:
    return None if row.child_state is None else ENDS_WITH.get(row.child_state, row.child_state)
