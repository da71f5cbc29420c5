"""Owns what the reference model is shown: the rows of a database as plain values."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from sqlalchemy import Engine, text

from orchestrator.store.session import reading

ENDED = frozenset({"SUCCESS", "FAILURE", "STOPPED"})
"""States in which a run has ended."""

LIVE = frozenset({"SUBMITTED", "DELAYED", "DISPATCHED", "RUNNING", "PAUSED"})
"""States of an attempt that is not over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A row of `workflow_instance`."""

    id: int
    workflow: str
    state: str
    run_count: int
    parent: int | None
    parent_task: str | None
    on_failure: str
    has_turn: bool

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.state in ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A row of `task_instance`."""

    run: int
    task: str
    number: int
    type: str
    state: str
    current: bool
    reason: str
    taken: tuple[str, ...] | None
    child: int | None

    @property
    def key(self) -> tuple[int, str, int]:
        """What tells it from all others."""
        return (self.run, self.task, self.number)

    @property
    def is_live(self) -> bool:
        """Whether it is not over."""
        return self.state in LIVE

    @property
    def group(self) -> str | None:
        """The map whose element it is, if it is one."""
        return self.task.partition("[")[0] if self.task.endswith("]") else None


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Everything at one moment, after a commit.

    Attributes:
        slots: Taken slots: pool, and the key of the attempt that has it.
        at_s: The time, in seconds.
    """

    runs: Mapping[int, Run] = field(default_factory=dict)
    attempts: Mapping[tuple[int, str, int], Attempt] = field(default_factory=dict)
    slots: tuple[tuple[str, tuple[int, str, int]], ...] = ()
    at_s: float = 0.0

    @cached_property
    def current(self) -> Mapping[int, Mapping[str, Attempt]]:
        """The attempts that count, by run and task."""
        found: dict[int, dict[str, Attempt]] = {number: {} for number in self.runs}
        for one in self.attempts.values():
            if one.current:
                found[one.run][one.task] = one
        return found


def take(engine: Engine, at_s: float) -> Picture:
    """Return what the database holds."""
    with reading(engine) as connection:
        runs = connection.execute(text(RUNS)).all()
        attempts = connection.execute(text(ATTEMPTS)).all()
        slots = connection.execute(text(SLOTS)).all()
    found = [
        Attempt(
            run=row[0],
            task=row[1],
            number=row[2],
            type=row[3],
            state=row[4],
            current=bool(row[5]),
            reason=row[6] or "",
            taken=tuple(names) if (names := json.loads(row[7] or "null")) is not None else None,
            child=row[8],
        )
        for row in attempts
    ]
    return Picture(
        runs={
            row[0]: Run(
                id=row[0],
                workflow=row[1],
                state=row[2],
                run_count=row[3],
                parent=row[4],
                parent_task=row[5],
                on_failure=row[6],
                has_turn=bool(row[7]),
            )
            for row in runs
        },
        attempts={one.key: one for one in found},
        slots=tuple((row[0], (row[1], row[2], row[3])) for row in slots),
        at_s=at_s,
    )


RUNS = """SELECT id, workflow, state, run_count, parent_id, parent_task, on_failure, has_turn
FROM workflow_instance ORDER BY id"""
ATTEMPTS = """SELECT workflow_instance_id, task, attempt, type, state, current, reason, taken, child
FROM task_instance ORDER BY workflow_instance_id, task, attempt"""
SLOTS = "SELECT pool, workflow_instance_id, task, attempt FROM pool_slot ORDER BY pool, number"
