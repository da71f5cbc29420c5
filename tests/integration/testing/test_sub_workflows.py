"""`orchestrator.testing.run` runs children, too."""

from pathlib import Path
from typing import Any

import pytest

from orchestrator import task, workflow
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.errors import UserError
from orchestrator.testing import run


@task
def count(day: str) -> dict[str, Any]:
    """Count the letters of a day."""
    return {"rows": len(day)}


@task
def show(rows: int) -> str:
    """Show a number."""
    return f"{rows} rows"


@workflow
def inner(day: str) -> None:
    """Count."""
    count(day)


@workflow
def outer(day: str = "monday") -> None:
    """Count in a child and show it."""
    show(inner(day=day)["rows"])


def test_children_of_a_python_workflow_run() -> None:
    """Their outputs come back."""
    ended = run(outer, params={"day": "sunday"})

    assert ended.state is WorkflowState.SUCCESS
    assert ended.outputs == {"inner": {"rows": 6}, "show": {"result": "6 rows"}}


def test_tasks_of_children_can_be_made_to_fail() -> None:
    """The parent's task says which run failed."""
    ended = run(outer, fail={"count": ValueError("no")})

    assert ended.states == {"inner": TaskState.FAILURE}
    assert ended.reasons["inner"] == "its run 2 failed: failed: count"


def test_file_with_parent_and_child_runs_its_parent(tmp_path: Path) -> None:
    """One that holds two parents is refused."""
    file = tmp_path / "flow.yaml"
    kid = "workflow: {name: kid}\ntasks: [{name: x, type: noop}]\n"
    parent = "workflow: {name: parent}\ntasks: [{name: s, type: sub_workflow, workflow: kid}]\n"
    file.write_text(f"{kid}---\n{parent}")
    assert run(file).states == {"s": TaskState.SUCCESS}

    file.write_text(f"{kid}---\n{parent}---\n{parent.replace('parent', 'other')}")
    with pytest.raises(UserError, match="holds 2 workflows"):
        run(file)
