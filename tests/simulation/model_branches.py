"""Owns the model's reading of branches: what a switch or conditions task lets run, and what it absorbs.

Written from SEMANTICS section 4 alone, like the rest of the model.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchestrator.core.definition import TaskDefinition
from tests.simulation.model_triggers import Outcome, Word
from tests.simulation.workload_branches import TRUE

BAD = {Outcome.FAILED, Outcome.NOT_RUN}


class Branches:
    """The branching tasks of one definition.

    Args:
        tasks: All tasks by name.
    """

    def __init__(self, tasks: Mapping[str, TaskDefinition]) -> None:
        self._tasks = tasks
        self.absorbed = {
            name
            for task in tasks.values()
            if task.type == "conditions" and not task.disabled
            for name in _named(task.spec)
        }

    def word(self, task: TaskDefinition, upstreams: Sequence[Outcome]) -> Word | None:
        """Return what is to happen with a conditions task; `None` for any other, whose trigger decides."""
        if task.type != "conditions":
            return None
        if Outcome.OPEN in upstreams:
            return Word.WAIT
        return Word.SKIP if set(upstreams) == {Outcome.SKIPPED} else Word.RUN

    def seen_from(self, task: str, upstream: str, outcomes: Mapping[str, Outcome]) -> Outcome:
        """Return how `upstream` looks to `task`: a branch that was not chosen is a skipped upstream."""
        outcome = outcomes[upstream]
        source = self._tasks[upstream]
        if outcome is not Outcome.SUCCESS or source.type == "noop" or not self._only_by_branch(task, source):
            return outcome
        return outcome if task in self._chosen(source, outcomes) else Outcome.SKIPPED

    def _only_by_branch(self, task: str, source: TaskDefinition) -> bool:
        """Whether a task stands in a branch and hangs on its source in no other way, through wires."""
        if task not in _branch_names(source.spec):
            return False
        return not any(
            self._tasks[need].disabled and self._leads_to(need, source.name)
            for need in self._tasks[task].needs
        )

    def _leads_to(self, wire: str, source: str) -> bool:
        needs = self._tasks[wire].needs
        return source in needs or any(
            self._tasks[one].disabled and self._leads_to(one, source) for one in needs
        )

    def _chosen(self, source: TaskDefinition, outcomes: Mapping[str, Outcome]) -> Sequence[str]:
        if source.type == "conditions":
            branch: Sequence[str] = source.spec[
                "success" if self._holds(source.spec, outcomes) else "failure"
            ]
            return branch
        for case in source.spec["cases"]:
            if case["when"] == TRUE:
                chosen: Sequence[str] = case["then"]
                return chosen
        default: Sequence[str] = source.spec["default"]
        return default

    def _holds(self, spec: Mapping[str, Any], outcomes: Mapping[str, Outcome]) -> bool:
        items = spec.get("all") or spec["any"]
        answers = [self._is(one["task"], one["is"], outcomes) for one in items]
        return all(answers) if "all" in spec else any(answers)

    def _is(self, name: str, how: str, outcomes: Mapping[str, Outcome]) -> bool:
        outcome = outcomes.get(name, Outcome.SUCCESS)  # a wire, or not part of the run
        return outcome is Outcome.SUCCESS if how == "success" else outcome in BAD


def _named(spec: Mapping[str, Any]) -> Iterator[str]:
    for item in spec.get("all") or spec["any"]:
        yield item["task"]


def _branch_names(spec: Mapping[str, Any]) -> set[str]:
    if "cases" in spec:
        return {name for case in spec["cases"] for name in case["then"]} | set(spec["default"])
    return {*spec.get("success", ()), *spec.get("failure", ())}
