"""Owns the model's reading of approvals: they end well, unless time is up and nothing counts then."""

from collections.abc import Sequence

from orchestrator.core.definition import TaskDefinition
from tests.simulation.model_attempts import SeenAttempt
from tests.simulation.plan import Script


def approval_script(task: TaskDefinition, rows: Sequence[SeenAttempt]) -> Script:
    """Return the script of an approval: it may fail for its time limit alone, where it has no default."""
    may_fail = task.timeout_s is not None and "default" not in task.spec
    return Script(failures=sum(row.state == "FAILURE" for row in rows) if may_fail else 0, hangs=True)
