"""`orchestrator.testing.run` runs maps, too."""

from typing import Any

import pytest

from orchestrator import task, workflow
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.errors import UserError
from orchestrator.testing import run


@task
def shops(number: int) -> dict[str, Any]:
    """Name some shops."""
    return {"names": [f"shop{index}" for index in range(number)]}


@task(retries=1)
def load(shop: str, factor: int = 1) -> dict[str, Any]:
    """Count what a shop sold."""
    return {"sold": len(shop) * factor, "shop": shop}


@task
def total(given: list[dict[str, Any]], sold: list[int], first: str) -> str:
    """Add up."""
    return f"{len(given)} shops, {sum(sold)} sold, {first} first"


@workflow
def selling(number: int = 3) -> None:
    """Count in every shop."""
    found = shops(number)
    loaded = load.map(found["names"], factor=2, max_parallel=2)
    total(loaded, loaded["sold"], loaded[0]["shop"])


def test_elements_of_a_python_workflow_run() -> None:
    """The first argument is the element; the result stands for the list of what all of them gave."""
    ended = run(selling)

    assert ended.state is WorkflowState.SUCCESS
    assert ended.outputs["total"] == {"result": "3 shops, 30 sold, shop0 first"}
    assert ended.outputs["load[1]"] == {"sold": 10, "shop": "shop1"}


def test_all_elements_or_one_can_be_scripted() -> None:
    """By the name of the task, or of the element."""
    ended = run(selling, fail={"load[1]": [ValueError("no")]}, outputs={"load": {"sold": 1, "shop": "x"}})

    assert ended.attempts["load[1]"] == 2
    assert ended.outputs["total"] == {"result": "3 shops, 3 sold, x first"}


def test_map_fails_with_its_elements() -> None:
    """And says which."""
    ended = run(selling, fail={"load": ValueError})

    assert ended.states["load"] is TaskState.FAILURE
    assert ended.reasons["load"] == "3 of 3 elements failed: load[0], load[1], load[2]"


def test_name_of_an_element_of_no_map_is_refused() -> None:
    """With what was meant."""
    with pytest.raises(UserError, match=r"has no task 'loda\[0\]'"):
        run(selling, fail={"loda[0]": ValueError})
