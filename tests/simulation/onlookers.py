"""Owns what other workflows' runs looked like whenever a master looked at them for its dependent tasks."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from orchestrator.core.dependence import Answer, Question
from orchestrator.store.history import History
from orchestrator.store.session import Engine
from tests.simulation.database import Database
from tests.simulation.ledger import AttemptKey
from tests.simulation.model_dependents import SeenRun, Verdict, verdict

WAITING = (
    "SELECT workflow_instance_id, task, attempt FROM task_instance "
    "WHERE type = 'dependent' AND current AND state = 'RUNNING'"
)
RUNS = "SELECT id, workflow, planned_time, state, ended_at, started_at FROM workflow_instance"
TASKS = "SELECT workflow_instance_id, task, state, ended_at FROM task_instance WHERE current"

Spec = Callable[[int, str], Mapping[str, Any]]


class Onlooker:
    """Notes, whenever a master looks, what the model makes of the same rows.

    Args:
        database: Where the rows are.
        spec_of: Run and task to the fields of a dependent task.

    Attributes:
        seen: What each attempt could have been told so far.
    """

    def __init__(self, database: Database, spec_of: Spec) -> None:
        self.seen: dict[AttemptKey, set[Verdict]] = defaultdict(set)
        self._database = database
        self._spec_of = spec_of

    def look(self) -> None:
        """Note what holds at this moment, for all that wait."""
        runs = self._runs()
        for run, task, attempt in self._database.rows(WAITING):
            self.seen[run, task, attempt].add(verdict(self._spec_of(run, task), runs))

    def _runs(self) -> list[SeenRun]:
        tasks: dict[int, dict[str, tuple[str, datetime | None]]] = defaultdict(dict)
        for run, task, state, ended_at in self._database.rows(TASKS):
            tasks[run][task] = (state, _time(ended_at))
        return [
            SeenRun(
                id=number,
                workflow=workflow,
                planned_time=datetime.fromisoformat(planned_time).replace(tzinfo=UTC),
                state=state,
                ended_at=_time(ended_at),
                began=state != "STOPPED" or started_at is not None,
                tasks=tasks[number],
            )
            for number, workflow, planned_time, state, ended_at, started_at in self._database.rows(RUNS)
        ]


class WatchedHistory(History):
    """The product's look at other runs, and somebody who looks with it.

    Args:
        engine: As the product has it.
        looked: Called when an answer was given, before anything else can happen.
    """

    def __init__(self, engine: Engine, looked: Callable[[], None]) -> None:
        super().__init__(engine)
        self._looked = looked

    def answers(self, questions: Iterable[Question]) -> dict[Question, Answer]:
        """Return the answer to each question."""
        answers = super().answers(questions)
        self._looked()
        return answers


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).replace(tzinfo=UTC)
