"""Owns the model's reading of dependent tasks: what other runs say about one, at one moment (SEMANTICS 5).

Written from SEMANTICS and the docs alone; the windows' slots are written down where they are drawn.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from tests.simulation.model_attempts import SeenAttempt
from tests.simulation.plan import Script
from tests.simulation.workload_dependents import WINDOWS, slot_s

ENDED = frozenset({"SUCCESS", "FAILURE", "STOPPED"})
TASK_ENDED = frozenset({"SUCCESS", "FAILURE", "KILLED", "SKIPPED"})


class Verdict(StrEnum):
    """What the runs say."""

    MET = "met"
    FAILED = "failed"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRun:
    """A run as its rows are at one moment.

    Attributes:
        began: It has had a started task; a run without that came to nothing.
        tasks: State and end of the current attempt of each task.
    """

    id: int
    workflow: str
    planned_time: datetime
    state: str
    ended_at: datetime | None
    began: bool
    tasks: Mapping[str, tuple[str, datetime | None]]


def verdict(spec: Mapping[str, Any], runs: Sequence[SeenRun]) -> Verdict:
    """Return what the runs say about a dependent task.

    Args:
        spec: Its `all` or `any`, and what is missing is to mean.
        runs: All there are.
    """
    strict = spec.get("on_missing") == "fail"

    def of(item: Mapping[str, Any]) -> Verdict:
        if "workflow" not in item:
            return _grouped(item, of)
        return _all([_of_slot(one, item.get("task"), strict=strict) for one in _by_slot(item, runs)])

    return _grouped(spec, of)


def dependent_script(rows: Sequence[SeenAttempt]) -> Script:
    """Return the script of a dependent task: why it failed is looked at where the other runs are."""
    return Script(failures=sum(row.state == "FAILURE" for row in rows))


def _grouped(group: Mapping[str, Any], of: Callable[[Mapping[str, Any]], Verdict]) -> Verdict:
    if "all" in group:
        return _all([of(one) for one in group["all"]])
    found = {of(one) for one in group["any"]}
    return next(one for one in (Verdict.MET, Verdict.WAITING, Verdict.FAILED) if one in found)


def _all(found: Sequence[Verdict]) -> Verdict:
    return next(one for one in (Verdict.FAILED, Verdict.WAITING, Verdict.MET) if one in found)


def _by_slot(item: Mapping[str, Any], runs: Sequence[SeenRun]) -> Iterator[list[SeenRun]]:
    """Yield the runs that are planned in each slot of a window."""
    for begin in WINDOWS[item["window"]]:
        until = begin + slot_s(item["window"])
        yield [run for run in runs if run.workflow == item["workflow"] and begin <= run.planned_time < until]


def _of_slot(runs: Sequence[SeenRun], task: str | None, *, strict: bool) -> Verdict:
    """Return what one slot says: the run counts that ended last, of a task that in which it did."""
    ended = [run for run in runs if run.state in ENDED or _end_of(run, task) is not None]
    if not ended:
        return Verdict.FAILED if strict and not runs else Verdict.WAITING
    ended = [run for run in ended if run.began] or ended
    last = max(ended, key=lambda run: (str(_end_of(run, task) or run.ended_at), run.id))
    how = last.state if task is None else last.tasks.get(task, ("never ran", None))[0]
    return Verdict.MET if how == "SUCCESS" else Verdict.FAILED


def _end_of(run: SeenRun, task: str | None) -> datetime | None:
    state, ended_at = run.tasks.get(task or "", ("", None))
    return ended_at if state in TASK_ENDED else None
