"""What a conditions task makes of its groups: a table of AND, OR, and groups within groups."""

from typing import Any

import pytest

from orchestrator.core.branches import chosen_by_conditions
from orchestrator.core.node import Outcome
from tests.builders import a_task

OUTCOMES = {
    "good": Outcome.SUCCESS,
    "bad": Outcome.FAILED,
    "blocked": Outcome.NOT_RUN,
    "skipped": Outcome.SKIPPED,
    "outside": None,
}
GOOD, BAD = {"task": "good", "is": "success"}, {"task": "bad", "is": "success"}


def branch_of(spec: dict[str, Any]) -> tuple[str, ...]:
    """Return the branch that a conditions task takes."""
    task = a_task("check", type="conditions", spec={**spec, "success": ["yes"], "failure": ["no"]})
    return chosen_by_conditions(task, OUTCOMES.__getitem__)


@pytest.mark.parametrize(
    ("spec", "branch"),
    [
        ({"all": [GOOD, GOOD]}, "yes"),
        ({"all": [GOOD, BAD]}, "no"),
        ({"all": [BAD, BAD]}, "no"),
        ({"any": [GOOD, GOOD]}, "yes"),
        ({"any": [BAD, GOOD]}, "yes"),
        ({"any": [BAD, BAD]}, "no"),
        ({"all": [GOOD, {"any": [BAD, GOOD]}]}, "yes"),
        ({"all": [BAD, {"any": [BAD, GOOD]}]}, "no"),
        ({"any": [{"all": [GOOD, BAD]}, {"all": [GOOD, GOOD]}]}, "yes"),
        ({"any": [{"all": [GOOD, BAD]}, {"all": [BAD, GOOD]}]}, "no"),
    ],
)
def test_groups_choose_the_branch(spec: dict[str, Any], branch: str) -> None:
    """`all` needs each of its items, `any` one of them."""
    assert branch_of(spec) == (branch,)


@pytest.mark.parametrize(
    ("task", "is_success", "is_failure"),
    [
        ("good", "yes", "no"),
        ("bad", "no", "yes"),
        ("blocked", "no", "yes"),
        ("skipped", "no", "no"),
        ("outside", "yes", "no"),
    ],
)
def test_each_outcome_is_success_or_failure_or_neither(task: str, is_success: str, is_failure: str) -> None:
    """What is not part of the run counts as done."""
    assert branch_of({"all": [{"task": task, "is": "success"}]}) == (is_success,)
    assert branch_of({"all": [{"task": task, "is": "failure"}]}) == (is_failure,)
