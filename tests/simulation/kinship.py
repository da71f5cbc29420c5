"""Owns which planned run each run of the database is: people submit some, and tasks of those start the others."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from tests.simulation.database import Database
from tests.simulation.plan import Plan, PlannedRun

T = TypeVar("T")


class PlannedRuns:
    """What was planned of each run, children included.

    Args:
        plan: Names the workflows that are called.
        database: Knows who was called by whom.
    """

    def __init__(self, plan: Plan, database: Database) -> None:
        self._plan = plan
        self._database = database
        self._known: dict[int, PlannedRun] = {}

    def submitted(self, number: int, run: PlannedRun) -> None:
        """Note that people submitted a run."""
        self._known[number] = run

    def __getitem__(self, number: int) -> PlannedRun:
        """Return what was planned of a run; a child has the failure strategy of its parent.

        Raises:
            KeyError: Nothing was committed of such a run.
        """
        if number not in self._known:
            self._known[number] = self._child(number)
        return self._known[number]

    def numbers(self) -> list[int]:
        """Return every run there is, parents before their children."""
        if not self._plan.children:
            return sorted(self._known)
        return [number for (number,) in self._database.rows("SELECT id FROM workflow_instance ORDER BY id")]

    def parents(self) -> Mapping[int, int]:
        """Return the parent of each child."""
        if not self._plan.children:
            return {}
        query = "SELECT id, parent_id FROM workflow_instance WHERE parent_id IS NOT NULL ORDER BY id"
        return dict(self._database.rows(query))

    def _child(self, number: int) -> PlannedRun:
        query = "SELECT workflow, parent_id FROM workflow_instance WHERE id = ?"
        for workflow, parent in self._database.rows(query, number):
            if parent is not None:
                run, on_failure = self._plan.children[workflow], self[parent].definition.on_failure
                return replace(run, definition=replace(run.definition, on_failure=on_failure))
        raise KeyError(number)


class ByRun(Mapping[int, T]):
    """Something about each run, found out when it is first asked for.

    Args:
        find: Says it; raises KeyError for what is no run.
    """

    def __init__(self, find: Callable[[int], T]) -> None:
        self._find = find
        self._found: dict[int, T] = {}

    def __getitem__(self, number: int) -> T:
        """Return what there is about a run."""
        if number not in self._found:
            self._found[number] = self._find(number)
        return self._found[number]

    def __iter__(self) -> Iterator[int]:
        """Yield the runs that were asked about."""
        return iter(self._found)

    def __len__(self) -> int:
        """Return how many were asked about."""
        return len(self._found)
