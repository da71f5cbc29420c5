"""Owns plans: what a workflow is, in the words of the reference model alone."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

WORKER = frozenset({"noop", "shell", "python"})
"""Kinds of steps that a worker runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One task of a workflow.

    Attributes:
        kind: noop, shell, python, switch, conditions, sub_workflow, dependent or approval.
        elements: How many elements its map has; `None`: it is no map.
        most: How many of them may be active at a time; `None`: all.
        cases: Of a switch: its branches in order, the default last; of conditions: success, then failure.
        pick: Which branch the switch takes; one behind the last: none, and it fails.
        named: Of conditions: the tasks that it looks at, and whether each shall be a success.
        every: Whether all of them must be so, or any.
        kid: What a sub_workflow starts.
        limit: A worker's `rows` must be more; `None`: nothing is checked.
    """

    name: str
    kind: str
    needs: tuple[str, ...] = ()
    trigger: str = "all_success"
    disabled: bool = False
    retries: int = 0
    retry_delay_s: float = 0.0
    delay_s: float = 0.0
    timeout_s: float | None = None
    warns: bool = False
    pool: str | None = None
    elements: int | None = None
    most: int | None = None
    cases: tuple[tuple[str, ...], ...] = ()
    pick: int = 0
    named: tuple[tuple[str, bool], ...] = ()
    every: bool = True
    kid: "Plan | None" = None
    limit: int | None = None

    @property
    def branches(self) -> frozenset[str]:
        """Every task that stands in one of its branches."""
        return frozenset(name for case in self.cases for name in case)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One workflow.

    Attributes:
        ends: `on_failure: end`.
        timeout_s: After so long the run is stopped; `None`: never.
    """

    name: str
    steps: Mapping[str, Step] = field(default_factory=dict)
    ends: bool = False
    execution: str = "parallel"
    timeout_s: float | None = None

    def family(self) -> "Iterator[Plan]":
        """Yield the plan's descendants, the youngest first, and then itself."""
        for step in self.steps.values():
            if step.kid is not None:
                yield from step.kid.family()
        yield self
