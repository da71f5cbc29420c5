"""Owns what a set-up's master and workers are: their command lines, environments and directories."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from orchestrator.embedded.children import MASTER_ENDING, UNUSED_WORKER_ENDING, WORKER_ENDING, ChildSpec
from orchestrator.embedded.home import Home

DEFAULT_GROUP = "default"
FEWEST_SLOTS = 6
"""Tasks wait for files and services more than they compute: a small machine runs several at the same time."""


def default_concurrency() -> int:
    """Return how many tasks one worker of a set-up runs at the same time."""
    return max(FEWEST_SLOTS, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class CrewOrder:
    """What the crew of a set-up shall be.

    Attributes:
        workers: How many workers serve the default group.
        suffix: Ends the workers' names where others share the Redis.
        concurrency: Tasks that one worker runs at the same time.
        log_level: For the Celery workers.
        migrate: Whether the master brings the schema up to date: the database is the set-up's own.
        patient: At the end, workers may finish what they run and take their leave; a set-up that ends with
            its last guest has nobody who waits for that, nobody who misses them.
    """

    workers: int = 1
    suffix: str = ""
    concurrency: int = field(default_factory=default_concurrency)
    log_level: str = "INFO"
    migrate: bool = True
    patient: bool = False


class Others(Protocol):
    """Knows the masters and workers that others run on the same database and Redis."""

    def has_master(self) -> bool:
        """Return whether one of theirs coordinates."""
        ...

    def groups(self) -> frozenset[str]:
        """Return the worker groups that theirs serve."""
        ...


class Nobody:
    """The others of a set-up whose Redis or database is its own."""

    def has_master(self) -> bool:
        """Return that nobody else coordinates."""
        return False

    def groups(self) -> frozenset[str]:
        """Return that nobody else serves anything."""
        return frozenset()


class SetUpCrew:
    """Makes the children of one set-up, each once: what others do already is left to them, as long as they do it.

    Args:
        home: Where they work.
        order: What they shall be.
        others: Who else is there.
        database_url: The database.
        redis_url: The Redis.
    """

    def __init__(
        self, home: Home, order: CrewOrder, others: Others, *, database_url: str, redis_url: str
    ) -> None:
        self._home = home
        self._order = order
        self._others = others
        self._served: set[str] = set()
        self._has_master = False
        self._made = 0
        self._environment = {
            "ORCHESTRATOR_HOME": str(home.path),
            "ORCHESTRATOR_DATABASE_URL": database_url,
            "ORCHESTRATOR_REDIS_URL": redis_url,
        }

    def first(self) -> list[ChildSpec]:
        """Return the master, if it is missing; it does not depend on what guests want."""
        if self._has_master or self._others.has_master():
            return []
        self._has_master = True
        return [self._master()]

    def wanted(self, wish: Mapping[str, Any]) -> list[ChildSpec]:
        """Return the workers that serve the groups of the wish which nobody serves yet."""
        groups = [group for group in wish.get("groups", ()) if group not in self._served]
        if not groups:
            return []
        groups = [group for group in groups if group not in self._others.groups()]
        if not groups:
            return []
        self._served.update(groups)
        count = self._order.workers if DEFAULT_GROUP in groups else 1
        return [self._worker(groups, wish.get("source_dir")) for _ in range(count)]

    def _master(self) -> ChildSpec:
        migrate = ("--migrate",) if self._order.migrate else ()
        return ChildSpec(
            name="master",
            role="master",
            module=("orchestrator.cli", "master", *migrate),
            environment=self._environment,
            directory=self._home.path,
            ending=MASTER_ENDING,
        )

    def _worker(self, groups: list[str], source_dir: str | None) -> ChildSpec:
        self._made += 1
        name = f"w{self._made}{self._order.suffix}"
        return ChildSpec(
            name=name,
            role="worker",
            module=worker_module(groups, name, self._order.concurrency, self._order.log_level),
            environment={**self._environment, **source_environment(source_dir)},
            directory=Path(source_dir) if source_dir else self._home.path,
            ending=WORKER_ENDING if self._order.patient else UNUSED_WORKER_ENDING,
        )


def worker_module(groups: list[str], name: str, concurrency: int | None, log_level: str) -> tuple[str, ...]:
    """Return Celery's module and arguments for a worker of `groups`."""
    slots = () if concurrency is None else ("--concurrency", str(concurrency))
    queues = ",".join(groups)
    return (
        *("celery", "-A", "orchestrator", "worker", "-Q", queues, "-n", f"{name}@%h"),
        *("--loglevel", log_level, "--without-mingle", "--without-gossip", *slots),
    )


def source_environment(source_dir: str | None) -> dict[str, str]:
    """Return the variable that makes the files beside a definition importable.

    Where those files are, each definition says itself: on this machine it is true.
    """
    if source_dir is None:
        return {}
    inherited = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": os.pathsep.join(path for path in (source_dir, inherited) if path)}
