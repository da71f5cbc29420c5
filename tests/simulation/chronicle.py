"""Owns the chronicle of calls: how each called run stood when the attempt that waited for it ended."""

from dataclasses import dataclass
from datetime import UTC, datetime

from tests.simulation.database import Database
from tests.simulation.ledger import AttemptKey
from tests.simulation.model_children import ENDS_WITH

POINT = "store.before_flush"
"""Where a master is before what it commits: between two looks there is one commit at most."""

CALLED = "SELECT id, state, run_count, ended_at FROM workflow_instance WHERE parent_id IS NOT NULL"
WAITING = (
    "SELECT workflow_instance_id, task, attempt, state, child, started_at FROM task_instance "
    "WHERE child IS NOT NULL"
)
TASK_ENDS = frozenset(ENDS_WITH.values())


@dataclass(frozen=True, slots=True)
class Stand:
    """How a called run stands: `run_count` says which of its beginnings this is."""

    state: str
    run_count: int
    ended_at: datetime | None

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.state in ENDS_WITH


class Chronicle:
    """Looks at called runs, and at those who wait for them, before each commit.

    Args:
        database: Where the rows are.

    Attributes:
        taken: How the run stood that an attempt waited for, when the attempt was decided by that.
        wrong: What must not be (C4 to C6).
    """

    def __init__(self, database: Database) -> None:
        self.taken: dict[AttemptKey, Stand] = {}
        self.wrong: list[str] = []
        self._database = database
        self._stands: dict[int, Stand] = {}
        self._found: dict[AttemptKey, Stand | None] = {}
        self._ends: dict[AttemptKey, str] = {}
        self._last: dict[int, Stand] = {}

    def at_point(self, point: str) -> None:
        """Look, if somebody is about to commit."""
        if point == POINT:
            self.look()

    def look(self) -> None:
        """Note what has ended since the last look, by how what it waited for stood then."""
        stands = {
            number: Stand(state, run_count, _time(ended_at))
            for number, state, run_count, ended_at in self._database.rows(CALLED)
        }
        for *place, state, child, started_at in self._database.rows(WAITING):
            key: AttemptKey = (place[0], place[1], place[2])
            if key not in self._found:
                self._found[key] = (self._stands if state in TASK_ENDS else stands).get(child)
            if key in self._ends:
                self._hold_to(key, state)
            elif state in TASK_ENDS:
                self._ends[key] = state
                if started_at is not None:  # else it never waited: its run was stopped before its turn
                    self._note(key, state, child)
        self._stands = stands

    def let_go(self, child: int) -> Stand | None:
        """Return the last end of a called run that somebody who waited for it has taken."""
        return self._last.get(child)

    def has_begun_anew(self, child: int, run_count: int) -> bool:
        """Return whether a run has begun again since its last end was taken, so that nobody waits for it."""
        taken = self._last.get(child)
        return taken is not None and taken.run_count < run_count

    def _note(self, key: AttemptKey, state: str, child: int) -> None:
        stand = self._stands.get(child)
        if stand is None or not stand.is_over:
            self.wrong.append(f"C4: {_place(key)} is {state}, and run {child} was {stand and stand.state}")
            return
        if stand == self._found[key] and stand.state != "SUCCESS":
            self.wrong.append(
                f"C5: {_place(key)} is {state} by an end of run {child} from before its beginning"
            )
        self.taken[key] = self._last[child] = stand

    def _hold_to(self, key: AttemptKey, state: str) -> None:
        if state not in (self._ends[key], "FORCED_SUCCESS"):
            self.wrong.append(f"C6: {_place(key)} was {self._ends[key]} and is {state}")
            self._ends[key] = state


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).replace(tzinfo=UTC)


def _place(key: AttemptKey) -> str:
    run, task, attempt = key
    return f"{run}:{task}:{attempt}"
