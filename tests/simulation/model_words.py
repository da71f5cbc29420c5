"""Owns the model's reading of child parameters: which word a called run has (SEMANTICS 5 and 9)."""

from collections.abc import Callable

from tests.simulation.kinship import PlannedRuns
from tests.simulation.workload_maps import map_of
from tests.simulation.workload_words import WORD

Parent = tuple[int, str] | None
"""The run and the task that started a run; `None`: people did."""


class Words:
    """Says each run's word.

    Args:
        planned: What was planned of each run.
        parent_of: Who started a run.
    """

    def __init__(self, planned: PlannedRuns, parent_of: Callable[[int], Parent]) -> None:
        self._planned = planned
        self._parent_of = parent_of

    def of(self, run: int) -> str | None:
        """Return a run's word: its task's, else its parent's, else its own; `None`: it has none."""
        declared = self._planned[run].definition.params.get(WORD)
        if declared is None:
            return None
        parent = self._parent_of(run)
        if parent is None:
            return str(declared.default)
        number, task = parent
        told = self._told(number, map_of(task))
        return told or self.of(number) or str(declared.default)

    def _told(self, parent: int, name: str) -> str | None:
        task = next(one for one in self._planned[parent].definition.tasks if one.name == name)
        told = task.params.get(WORD)
        return None if told is None else str(told).replace("${workflow_instance_id}", str(parent))
