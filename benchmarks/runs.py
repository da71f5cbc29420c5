"""Owns runs of the product as a benchmark sees them: deployed, submitted, and timed by the database's clock."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import text

from benchmarks.waiting import wait_for
from orchestrator.core.definition import TaskDefinition, WorkflowDefinition
from orchestrator.core.status import WORKFLOW_FINAL, WorkflowState
from orchestrator.service import definitions, submission
from orchestrator.service.backend import Backend

LOOK_S = 0.1
"""Between two looks at a run: the database's clock times it, and a look takes from the cores that are measured."""

HEAD = text("SELECT state, submitted_at, ended_at FROM workflow_instance WHERE id = :id")


class Runs:
    """Starts workflows through the service, as the command line does, and waits for their rows.

    Args:
        backend: The product's services.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def deploy(self, name: str, tasks: Iterable[TaskDefinition]) -> None:
        """Deploy a workflow of these tasks."""
        definition = WorkflowDefinition(name=name, tasks=tuple(tasks))
        definitions.deploy(self._backend, [definition], online=True)

    def submit(self, name: str) -> int:
        """Start a run and return its id."""
        answer = submission.submit_texts(self._backend, name, (), submission.SubmitOptions())
        return int(answer["workflow_instance_id"])

    def seconds(self, name: str, *, within_s: float = 120.0) -> float:
        """Run a workflow to its end; return the seconds from the insertion of the run to its last commit.

        Raises:
            TimeoutError: It did not end in time.
            RuntimeError: It did not end SUCCESS.
        """
        run = self.submit(name)
        wait_for(
            lambda: self.state(run) in WORKFLOW_FINAL, f"end of run {run}", within_s=within_s, every_s=LOOK_S
        )
        state, submitted_at, ended_at = self._head(run)
        if state is not WorkflowState.SUCCESS or ended_at is None:
            raise RuntimeError(f"run {run} of {name} ended {state}")
        return (ended_at - submitted_at).total_seconds()

    def state(self, run: int) -> WorkflowState:
        """Return the run's state as committed."""
        return self._head(run)[0]

    def _head(self, run: int) -> tuple[WorkflowState, datetime, datetime | None]:
        with self._backend.engine.connect() as connection:
            state, submitted_at, ended_at = connection.execute(HEAD, {"id": run}).one()
        return WorkflowState(state), submitted_at, ended_at


def noop(name: str, *needs: str) -> TaskDefinition:
    """Return a task that does nothing."""
    return TaskDefinition(name=name, type="noop", needs=needs)
