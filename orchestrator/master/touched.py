"""Owns what a batch changed of one run: the rows that are written, and whether the run has moved."""

from dataclasses import dataclass, field, replace
from typing import Self

from orchestrator.core.instance import Head, TaskInstance
from orchestrator.core.run import WorkflowInstance
from orchestrator.core.status import WorkflowState
from orchestrator.core.transition import Transition


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearing:
    """Everything of a run's row that what its attempts ask for depends on."""

    state: WorkflowState
    ending: bool
    run_count: int
    held: tuple[str, ...]

    @classmethod
    def of(cls, head: Head) -> Self:
        """Return that of a row."""
        return cls(state=head.state, ending=head.ending, run_count=head.run_count, held=head.held)


@dataclass(slots=True)
class Touched:
    """What a batch changed of one run.

    Attributes:
        before: How its row was before the batch, to tell what must be looked at again.
        withdrawn: Rows that stop being current and are not written otherwise.
    """

    instance: WorkflowInstance
    before: Bearing
    inserted: dict[tuple[str, int], TaskInstance] = field(default_factory=dict)
    updated: dict[tuple[str, int], TaskInstance] = field(default_factory=dict)
    withdrawn: dict[tuple[str, int], TaskInstance] = field(default_factory=dict)

    def add(self, transition: Transition) -> None:
        """Add the rows of one more transition; the last value of a row wins, and is one write."""
        for row in transition.updated:
            where = self.inserted if (row.task, row.attempt) in self.inserted else self.updated
            where[row.task, row.attempt] = row
        for row in transition.withdrawn:
            self._withdraw(row, (row.task, row.attempt))
        for row in transition.inserted:
            self.inserted[row.task, row.attempt] = row

    @property
    def rows(self) -> list[TaskInstance]:
        """Every changed row, but those that only were withdrawn."""
        return [*self.updated.values(), *self.inserted.values()]

    @property
    def began_again(self) -> bool:
        """Whether the run was recovered or rerun."""
        return self.instance.head.run_count != self.before.run_count

    @property
    def has_moved(self) -> bool:
        """Whether what is asked of its attempts may be different now."""
        return Bearing.of(self.instance.head) != self.before

    def _withdraw(self, row: TaskInstance, key: tuple[str, int]) -> None:
        for written in (self.inserted, self.updated):
            if key in written:
                written[key] = replace(written[key], current=False)
                return
        self.withdrawn[key] = row
