"""Owns the facts from which causes are worked out: plain values, read once, of one moment."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from orchestrator.core.run import WorkflowInstance
from orchestrator.store.child_places import ChildPlace
from orchestrator.store.evidence import Evidence
from orchestrator.store.pools import Line


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """One worker as its last heartbeat shows it.

    Attributes:
        capacity: How many tasks it runs at once.
        running: Ids of the orders that it answers for.
        is_draining: It takes nothing new.
        tasks: The Celery tasks that it can call for nodes of type `celery`.
        is_cut_off: It lives, and has lost the broker: it takes nothing until it has connected anew.
        seen: When it was last heard of, by Redis' clock.
        is_lost: It has been silent for longer than the loss limit.
    """

    name: str
    incarnation: str
    groups: tuple[str, ...] = ()
    capacity: int = 1
    running: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    is_draining: bool = False
    is_cut_off: bool = False
    seen: datetime
    is_lost: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedLane:
    """What a master says of this run, whose events or commands fail again and again.

    Attributes:
        since: When it failed first in a row.
        tries: How often it has failed.
    """

    error: str
    since: datetime
    tries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Buried:
    """An event of this run that could not be handled, and was put aside."""

    id: str
    task: str | None
    attempt: int | None
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """What Redis knows: who works, and what masters say of themselves.

    Attributes:
        overloaded: Why the master of the run's slot starts nothing new (`cpu`, `memory`, `inbox`).
        waiting: Worker group to the number of attempts that wait for room in it, over all masters.
    """

    workers: tuple[Worker, ...] = ()
    parked: ParkedLane | None = None
    overloaded: str | None = None
    waiting: dict[str, int] = field(default_factory=dict)
    buried: tuple[Buried, ...] = ()

    def serving(self, group: str) -> Iterator[Worker]:
        """Yield all workers of a group, those too that take nothing."""
        return (worker for worker in self.workers if group in worker.groups)

    def taking(self, group: str) -> list[Worker]:
        """Return the workers of a group that take something new."""
        return [one for one in self.serving(group) if not (one.is_lost or one.is_draining or one.is_cut_off)]

    def worker(self, name: str) -> Worker | None:
        """Return the worker of this name, if it has shown itself within a day."""
        return next((one for one in self.workers if one.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that is known about one run.

    Attributes:
        run: The run with its graph, its current attempts, and its counters rebuilt.
        outside: Tasks of the definition that this run does not have, with the reason.
        evidence: What else the database knows of it.
        failures: Task to the reason why its attempt before failed, of tasks that wait for a retry.
        lines: Task to how its pool stands, of tasks that wait for a slot.
        children: How the runs stand that its tasks wait for, by id.
        fleet: What Redis knows; `None` when it did not answer.
        redis_fault: Why it did not.
        dispatch_timeout_s: After so many seconds in the broker a hand-over is recalled and repeated.
    """

    run: WorkflowInstance
    outside: dict[str, str] = field(default_factory=dict)
    evidence: Evidence
    failures: dict[str, str] = field(default_factory=dict)
    lines: dict[str, Line] = field(default_factory=dict)
    children: Mapping[int, ChildPlace] = field(default_factory=dict)
    fleet: Fleet | None = None
    redis_fault: str = ""
    dispatch_timeout_s: float = 60.0

    @property
    def number(self) -> int:
        """The run's id."""
        return self.run.head.id

    def group(self, task: str) -> str:
        """Return the worker group of a task."""
        return self.run.graph.tasks[task].worker_group or self.run.head.worker_group
