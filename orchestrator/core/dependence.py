"""Owns what a dependent task makes of other workflows' runs: what it asks about, and what the answers come to."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from orchestrator.core.definition import WorkflowDefinition
from orchestrator.core.instance import Head
from orchestrator.core.logic import DEPENDENT
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.core.windows import Slot, slots

MOST_NAMED = 3
"""So many dependencies stand in a reason."""


class Verdict(StrEnum):
    """What a look at the runs came to."""

    MET = "met"
    FAILED = "failed"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """How did a workflow's run, or a task of it, end in one slot?

    Attributes:
        task: A task of the workflow; `None` asks about the whole run.
    """

    workflow: str
    task: str | None
    slot: Slot


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the database says to a question.

    Attributes:
        run: The run that counts: of those planned in the slot the one that ended last (for a question about a
            task: whose task, or if that never ran, which itself ended last); `None`: none has ended.
        state: How it ended.
        task_state: How the task's current attempt ended; `None` if none was asked about, or it never ran.
        open: A run was planned in the slot, whether it has ended or not.
    """

    run: int | None = None
    state: WorkflowState | None = None
    task_state: TaskState | None = None
    open: bool = False


Answers = Mapping[Question, Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A verdict with its reason, one line for people; of one that is met, nothing."""

    verdict: Verdict
    reasons: tuple[str, ...] = ()


_MET = Finding(verdict=Verdict.MET)
_GOOD = frozenset({TaskState.SUCCESS, TaskState.FORCED_SUCCESS})


def questions(spec: Mapping[str, Any], head: Head, definition: WorkflowDefinition) -> Iterator[Question]:
    """Yield everything that a dependent task has to ask about.

    Args:
        spec: Its `all` or `any`, nested at will.
        head: The run that it belongs to, for the planned time.
        definition: That run's definition, for the zone.

    Raises:
        OverflowError: A window lies outside the years 1 to 9999.
    """
    zone = ZoneInfo(definition.timezone)
    for item in dependencies(spec):
        for slot in slots(item["window"], head.planned_time, zone):
            yield Question(workflow=item["workflow"], task=item.get("task"), slot=slot)


def judge(spec: Mapping[str, Any], head: Head, definition: WorkflowDefinition, answers: Answers) -> Finding:
    """Return what the answers come to: a failed dependency is false, one that has not ended undecided.

    Args:
        spec: Its `all` or `any`, and `on_missing`: with `fail`, a slot in which no run is planned is false, too.
        head: The run that it belongs to.
        definition: That run's definition.
        answers: To all of `questions`.
    """
    zone = ZoneInfo(definition.timezone)

    def of(item: Mapping[str, Any]) -> Finding:
        if item.get("all"):
            return _all([of(one) for one in item["all"]])
        if item.get("any"):
            return _any([of(one) for one in item["any"]])
        found = slots(item["window"], head.planned_time, zone)
        asked = [Question(workflow=item["workflow"], task=item.get("task"), slot=slot) for slot in found]
        strict = spec.get("on_missing") == "fail"
        return _all([_of_answer(one, item["window"], answers[one], strict=strict) for one in asked])

    return of(spec)


def in_words(finding: Finding) -> str:
    """Return the reasons of a finding in one line."""
    named = "; ".join(finding.reasons[:MOST_NAMED])
    more = len(finding.reasons) - MOST_NAMED
    return named + (f"; and {more} more" if more > 0 else "")


def waits_for(reason: str) -> str:
    """Return the reason of an attempt that waits, given that of the look."""
    return f"waits for {reason}"


def dependencies(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the dependencies of a dependent task: the items that are no groups."""
    for item in spec.get("all") or spec.get("any") or ():
        if item.get("workflow") is not None:
            yield item
        yield from dependencies(item)


def needed_since(definition: WorkflowDefinition, planned: datetime) -> dict[str, datetime]:
    """Return the planned time from which on a run of a workflow looks at the runs of others, by their names.

    Args:
        definition: The workflow that looks.
        planned: The planned time of its run, aware.
    """
    zone = ZoneInfo(definition.timezone)
    needed: dict[str, datetime] = {}
    for task in definition.tasks:
        if task.type != DEPENDENT or task.disabled:
            continue
        for one in dependencies(task.spec):
            since = slots(one["window"], planned, zone)[0].begin
            needed[one["workflow"]] = min(since, needed.get(one["workflow"], since))
    return needed


def _all(findings: Sequence[Finding]) -> Finding:
    return _first_of(findings, Verdict.FAILED, Verdict.WAITING, Verdict.MET)


def _any(findings: Sequence[Finding]) -> Finding:
    return _first_of(findings, Verdict.MET, Verdict.WAITING, Verdict.FAILED)


def _first_of(findings: Sequence[Finding], *order: Verdict) -> Finding:
    """Return the first verdict of `order` that occurs, with the reasons of all that have it."""
    verdict = next(one for one in order if any(finding.verdict is one for finding in findings))
    reasons = (reason for one in findings if one.verdict is verdict for reason in one.reasons)
    return Finding(verdict=verdict, reasons=tuple(reasons))


def _of_answer(question: Question, window: str, answer: Answer, *, strict: bool) -> Finding:
    what = question.workflow if question.task is None else f"{question.workflow}.{question.task}"
    where = f"{what} ({window}, {question.slot.label})"
    if answer.run is None:
        if answer.open:
            return _because(Verdict.WAITING, f"{where}: its run has not ended")
        return _because(Verdict.FAILED if strict else Verdict.WAITING, f"{where}: no run")
    if question.task is None:
        if answer.state is WorkflowState.SUCCESS:
            return _MET
        return _because(Verdict.FAILED, f"{where}: run {answer.run} ended {answer.state}")
    if answer.task_state in _GOOD:
        return _MET
    ended = f"ended {answer.task_state}" if answer.task_state else "never ran"
    return _because(Verdict.FAILED, f"{where}: it {ended} in run {answer.run}")


def _because(verdict: Verdict, reason: str) -> Finding:
    return Finding(verdict=verdict, reasons=(reason,))
