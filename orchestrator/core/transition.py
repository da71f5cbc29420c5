"""Owns the transition: what a handler decided, and (turned round) what undoes it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from orchestrator.core.cache import CacheEntry
from orchestrator.core.command import Alert, Mail
from orchestrator.core.definition import TaskDefinition
from orchestrator.core.instance import Head, TaskInstance
from orchestrator.core.node import Node
from orchestrator.core.pool import PoolPlace
from orchestrator.core.serial import Turn
from orchestrator.errors import UnresolvedParameter


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """Changes of one workflow instance, in memory and in its rows.

    Attributes:
        head: The new head, or `None` when it stays.
        current: Task name to its current attempt (`None`: the task has none, in an inverse).
        nodes: Task name to its counters.
        inserted: Attempts that get a row.
        updated: Attempts whose row changes.
        withdrawn: Attempts that are not current any more, with nothing in their place yet.
        spent: Task name to the number of its last attempt, while it has no current one (`None`: it has).
        alerts: What people are told, in the same transaction.
        mail: Commands to other instances, in the same transaction.
        children: Runs that begin, in the same transaction.
        released: Attempts that leave a pool: its line, or the slot that they had.
        lined_up: Attempts that come into the line of a pool.
        turns: What the run did about its turn.
        cached: Outputs that are kept for later runs, in the same transaction.
    """

    head: Head | None = None
    current: tuple[tuple[str, TaskInstance | None], ...] = ()
    nodes: tuple[tuple[str, Node], ...] = ()
    inserted: tuple[TaskInstance, ...] = ()
    updated: tuple[TaskInstance, ...] = ()
    withdrawn: tuple[TaskInstance, ...] = ()
    spent: tuple[tuple[str, int | None], ...] = ()
    alerts: tuple[Alert, ...] = ()
    mail: tuple[Mail, ...] = ()
    children: tuple[Head, ...] = ()
    released: tuple[PoolPlace, ...] = ()
    lined_up: tuple[PoolPlace, ...] = ()
    turns: tuple[Turn, ...] = ()
    cached: tuple[CacheEntry, ...] = ()


class TicketSource(Protocol):
    """Gives the random secret of a new dispatch."""

    def __call__(self) -> str:
        """Return a text nobody can guess."""
        ...


class LiveWorkers(Protocol):
    """Knows which workers serve a group."""

    def __call__(self, group: str, /) -> frozenset[str]:
        """Return the names of the live workers of `group`."""
        ...


class Inspection(Protocol):
    """Works out the checks of outputs (`check:`), without I/O."""

    def __call__(self, task: TaskDefinition, attempt: TaskInstance, /) -> bool:
        """Return whether the check of `task` holds on the outputs of `attempt`.

        Raises:
            UnresolvedParameter: It cannot be worked out.
        """
        ...


def no_inspection(task: TaskDefinition, _attempt: TaskInstance, /) -> bool:
    """Work out no check.

    Raises:
        UnresolvedParameter: Always.
    """
    raise UnresolvedParameter(f"nobody works out the check of '{task.name}' here")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the pure core is told about the world for one decision.

    Attributes:
        now: Database time, aware UTC.
        jitter: A random number in [0, 1).
        new_ticket: Source of random tickets.
        live_workers: Worker group to the names of the workers that serve it now.
        inspect: Works out checks of outputs.
        row_limit: Most rows one step may create or sweep, the rest stays owed; and most children that it asks for
            what the run's new state wants of them.
    """

    now: datetime
    jitter: float
    new_ticket: TicketSource
    live_workers: LiveWorkers
    inspect: Inspection = no_inspection
    row_limit: int = 1000
