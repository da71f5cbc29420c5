"""Owns the rig: private servers, a real master and a real Celery worker, for one call of the benchmarks."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.yardstick import RESULTS_URL
from orchestrator.embedded.children import MASTER_ENDING, WORKER_ENDING, Child, ChildSpec, end_all
from orchestrator.embedded.postgres import PrivatePostgres
from orchestrator.embedded.redis import PrivateRedis

ROOT = Path(__file__).parents[1]


class Rig:
    """PostgreSQL with fsync, Redis with its append-only file, and on demand one master and one worker.

    Args:
        directory: Where everything is kept; nothing outside it is written.
        concurrency: Tasks that the worker runs at the same time.
    """

    def __init__(self, directory: Path, *, concurrency: int) -> None:
        self.concurrency = concurrency
        self._directory = directory
        self._redis = PrivateRedis(directory / "redis")
        self._postgres = PrivatePostgres(directory / "postgres", fsync=True)
        self._children: dict[str, Child] = {}
        self._leash: tuple[int, int] | None = None
        self.environment: Mapping[str, str] = {}

    def __enter__(self) -> Self:
        """Start the servers and point this program's own settings at them."""
        self._leash = os.pipe()
        try:
            redis_url, database_url = self._redis.start(), self._postgres.start()
        except BaseException:
            self.close()
            raise
        self.environment = {
            "ORCHESTRATOR_HOME": str(self._directory / "home"),
            "ORCHESTRATOR_DATABASE_URL": database_url,
            "ORCHESTRATOR_REDIS_URL": redis_url,
            "ORCHESTRATOR_LOG_LEVEL": "WARNING",
            # `events` hands over without claims: on a slow machine the master would take everything back.
            "ORCHESTRATOR_DISPATCH_TIMEOUT_SECONDS": "600",
            "PYTHONPATH": str(ROOT),
            RESULTS_URL: results_url(redis_url),
        }
        os.environ.update(self.environment)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End everything."""
        self.close()

    @property
    def redis_url(self) -> str:
        """URL of the private Redis."""
        return self.environment["ORCHESTRATOR_REDIS_URL"]

    @property
    def database_url(self) -> str:
        """URL of the private PostgreSQL's database."""
        return self.environment["ORCHESTRATOR_DATABASE_URL"]

    def start_master(self) -> None:
        """Start a master, if none runs; it brings the schema up to date first."""
        self._start("master", ("orchestrator.cli", "master", "--migrate"), MASTER_ENDING)

    def stop_master(self) -> None:
        """End the master in order: it hands its leases back."""
        end_all([self._children.pop("master")], time.monotonic)

    def start_worker(self) -> None:
        """Start a Celery worker of the product, if none runs; it knows the yardsticks' tasks too."""
        command = (
            *("celery", "-A", "orchestrator", "worker", "-Q", "default", "-n", "benchmark@%h"),
            *("-I", "benchmarks.yardstick", "--loglevel", "WARNING", "--concurrency", str(self.concurrency)),
        )
        self._start("worker", command, WORKER_ENDING)

    def stop_worker(self) -> None:
        """End the worker in order."""
        end_all([self._children.pop("worker")], time.monotonic)

    def last_words(self) -> str:
        """Return the ends of the children's logs, for an error's message."""
        logs = sorted(self._directory.glob("*.log"))
        return "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-2000:]}" for log in logs)

    def close(self) -> None:
        """End children and servers; more often: nothing."""
        end_all(self._children.values(), time.monotonic)
        self._children.clear()
        self._postgres.stop("immediate")
        self._redis.kill()
        for descriptor in self._leash or ():
            os.close(descriptor)
        self._leash = None

    def _start(self, name: str, module: tuple[str, ...], ending: tuple[tuple[int, float], ...]) -> None:
        assert self._leash is not None, "enter the rig first"
        if name in self._children:
            return
        spec = ChildSpec(
            name=name,
            role=name,
            module=module,
            environment=self.environment,
            directory=self._directory,
            ending=ending,
        )
        log = self._directory / f"{name}.log"
        self._children[name] = Child(spec, leash=self._leash[0], log=log, clock=time.monotonic)
        self._children[name].start()


def results_url(redis_url: str) -> str:
    """Return the URL of the same Redis as Celery's result backend spells it: sockets are `socket://…`."""
    if not redis_url.startswith("unix:"):
        return redis_url
    return redis_url.replace("unix:", "socket:", 1).replace("db=", "virtual_host=")
