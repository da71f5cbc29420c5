"""Owns the reference model's reading of SEMANTICS section 4: what is to happen with a task."""

from collections.abc import Mapping
from functools import cached_property

from tests.properties.stateful.picture import Attempt
from tests.properties.stateful.plan import Plan, Step

RUN, SKIP, NOT_RUN, WAIT = "runs", "is skipped", "is not run", "waits"
GOOD, BAD, SKIPPED, OPEN = "success", "failed", "skipped", "open"
SEEN = {"SUCCESS": GOOD, "FORCED_SUCCESS": GOOD, "FAILURE": BAD, "KILLED": BAD, "SKIPPED": SKIPPED}


class Judgement:
    """What the attempts of one run say about each of its tasks; slow, recursive and obvious.

    Args:
        plan: The workflow.
        attempts: The attempts that count, by task.
        cut: Whether the run ends after a failure: what has not begun does not begin any more.
    """

    def __init__(self, plan: Plan, attempts: Mapping[str, Attempt], *, cut: bool = False) -> None:
        self._steps = plan.steps
        self._attempts = attempts
        self._cut = cut
        self._outcomes: dict[str, str] = {}

    @cached_property
    def absorbed(self) -> frozenset[str]:
        """The tasks whose failure some conditions task names."""
        return frozenset(name for one in self._steps.values() if not one.disabled for name, _ in one.named)

    def word(self, task: str) -> str:
        """Return what is to happen with a task that has no attempt."""
        step = self._steps[task]
        seen = [self._edge(upstream, labels) for upstream, labels in self.wires(task).items()]
        if step.kind == "conditions":
            return WAIT if OPEN in seen else SKIP if set(seen) == {SKIPPED} else RUN
        return _word(step.trigger, set(seen))

    def outcome(self, task: str) -> str:
        """Return how a task has ended; a task that is not run has failed, for those behind it."""
        if self._steps[task].disabled:  # only conditions ask for it
            return GOOD
        if task not in self._outcomes:
            attempt = self._attempts.get(task)
            if attempt is not None:
                self._outcomes[task] = SEEN.get(attempt.state, OPEN)
            else:
                word = self.word(task)
                self._outcomes[task] = BAD if word == NOT_RUN or (self._cut and word != WAIT) else OPEN
        return self._outcomes[task]

    def chosen(self, step: Step) -> tuple[str, ...]:
        """Return the branch that a switch or conditions task takes now."""
        if step.kind == "switch":
            return step.cases[step.pick]
        answers = [self.outcome(name) == (GOOD if good else BAD) for name, good in step.named]
        return step.cases[0 if (all(answers) if step.every else any(answers)) else 1]

    def wires(self, task: str) -> dict[str, set[str]]:
        """Return what a task depends on, each with the branches over which it does so; "": over none.

        A disabled task is a wire.
        """
        found: dict[str, set[str]] = {}
        for need in self._steps[task].needs:
            upstream = self._steps[need]
            if upstream.disabled:
                for source, labels in self.wires(need).items():
                    found.setdefault(source, set()).update(labels)
            else:
                found.setdefault(need, set()).add(task if task in upstream.branches else "")
        return found

    def ancestors(self, task: str) -> set[str]:
        """Return everything that a task depends on."""
        direct = self.wires(task)
        return set(direct).union(*(self.ancestors(one) for one in direct))

    def _edge(self, upstream: str, labels: set[str]) -> str:
        """Return how an upstream looks: over a branch that was not taken it counts as skipped."""
        outcome, attempt = self.outcome(upstream), self._attempts.get(upstream)
        if attempt is None or attempt.state != "SUCCESS" or attempt.taken is None or "" in labels:
            return outcome
        return outcome if labels.intersection(attempt.taken) else SKIPPED


def _word(trigger: str, seen: set[str]) -> str:
    """Return what a trigger says about a task whose upstreams look like this."""
    if not seen or (trigger == "one_success" and GOOD in seen) or (trigger == "one_failed" and BAD in seen):
        return RUN
    if OPEN in seen:
        return WAIT
    if trigger == "all_done" or (trigger == "none_failed" and BAD not in seen):
        return RUN
    if trigger == "one_failed":
        return SKIP
    if trigger == "all_success" and GOOD in seen and BAD not in seen:
        return RUN
    return SKIP if seen == {SKIPPED} and trigger != "none_failed" else NOT_RUN
