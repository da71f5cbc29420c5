"""What a dependent task makes of the answers: groups, what is missing, what has failed, and in which words."""

from typing import Any

import pytest

from orchestrator.core.dependence import Answer, Question, Verdict, in_words, judge, questions
from orchestrator.core.status import TaskState, WorkflowState
from tests.builders import a_definition, a_head

MET = Answer(run=7, state=WorkflowState.SUCCESS, open=True)
FAILED = Answer(run=8, state=WorkflowState.FAILURE, open=True)
OPEN = Answer(open=True)
MISSING = Answer()
ANSWERS = {"met": MET, "failed": FAILED, "open": OPEN, "missing": MISSING}


def on(workflow: str, window: str = "today", **fields: Any) -> dict[str, Any]:
    """One dependency."""
    return {"workflow": workflow, "window": window, **fields}


def found(spec: dict[str, Any], **answers: Answer) -> tuple[Verdict, str]:
    """Return verdict and reason when workflows have these answers in each slot."""
    definition = a_definition()
    head = a_head(definition)
    asked: dict[Question, Answer] = {
        one: {**ANSWERS, **answers}[one.workflow] for one in questions(spec, head, definition)
    }
    finding = judge(spec, head, definition, asked)
    return finding.verdict, in_words(finding)


@pytest.mark.parametrize(
    ("names", "as_all", "as_any"),
    [
        (("met", "met"), Verdict.MET, Verdict.MET),
        (("met", "open"), Verdict.WAITING, Verdict.MET),
        (("met", "failed"), Verdict.FAILED, Verdict.MET),
        (("open", "failed"), Verdict.FAILED, Verdict.WAITING),
        (("missing", "failed"), Verdict.FAILED, Verdict.WAITING),
        (("failed", "failed"), Verdict.FAILED, Verdict.FAILED),
        (("missing", "open"), Verdict.WAITING, Verdict.WAITING),
    ],
)
def test_groups_of_two(names: tuple[str, ...], as_all: Verdict, as_any: Verdict) -> None:
    """What is undecided may still turn either way; what is decided need not wait for the rest."""
    items = [on(name) for name in names]

    assert found({"all": items})[0] is as_all
    assert found({"any": items})[0] is as_any


def test_groups_nest_at_will() -> None:
    """`any` of an `all` that failed and an `all` that is met."""
    spec = {
        "any": [
            {"all": [on("met"), on("failed")]},
            {"all": [on("met"), {"any": [on("open"), on("met")]}]},
        ]
    }

    assert found(spec)[0] is Verdict.MET


def test_all_slots_of_a_window_must_be_met() -> None:
    """One question a day."""
    definition = a_definition()
    spec = {"all": [on("w", "last_3_days")]}
    asked = list(questions(spec, a_head(definition), definition))

    finding = judge(spec, a_head(definition), definition, dict(zip(asked, [MET, OPEN, MET], strict=True)))

    assert finding.verdict is Verdict.WAITING
    assert in_words(finding) == "w (last_3_days, 2026-10-30): its run has not ended"


def test_what_is_missing_fails_only_if_that_is_asked_for() -> None:
    """A run that is there and has not ended is not missing."""
    missing = {"all": [on("missing")]}

    assert found(missing) == (Verdict.WAITING, "missing (today, 2026-11-01): no run")
    assert found({**missing, "on_missing": "fail"}) == (Verdict.FAILED, "missing (today, 2026-11-01): no run")
    assert found({"all": [on("open")], "on_missing": "fail"})[0] is Verdict.WAITING


@pytest.mark.parametrize(
    ("task_state", "verdict", "said"),
    [
        (TaskState.SUCCESS, Verdict.MET, ""),
        (TaskState.FORCED_SUCCESS, Verdict.MET, ""),
        (TaskState.FAILURE, Verdict.FAILED, "w.load (today, 2026-11-01): it ended FAILURE in run 9"),
        (TaskState.SKIPPED, Verdict.FAILED, "w.load (today, 2026-11-01): it ended SKIPPED in run 9"),
        (None, Verdict.FAILED, "w.load (today, 2026-11-01): it never ran in run 9"),
    ],
)
def test_a_task_is_judged_by_its_own_end(task_state: TaskState | None, verdict: Verdict, said: str) -> None:
    """Its run may have ended otherwise."""
    answer = Answer(run=9, state=WorkflowState.FAILURE, task_state=task_state, open=True)

    assert found({"any": [on("w", task="load")]}, w=answer) == (verdict, said)


def test_a_reason_names_a_few_and_counts_the_rest() -> None:
    """One line, however many days are missing."""
    said = found({"all": [on("missing", "last_7_days")]})[1]

    assert said.count("no run") == 3
    assert said.endswith("; and 4 more")
