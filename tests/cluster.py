"""A whole cluster of real processes for acceptance tests: PostgreSQL, Redis, masters, workers."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import Pipe
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from types import TracebackType
from typing import Self

from orchestrator.config import load_settings
from orchestrator.core.definition import WorkflowDefinition
from orchestrator.embedded.postgres import PrivatePostgres
from orchestrator.embedded.redis import PrivateRedis
from orchestrator.errors import OrchestratorError
from orchestrator.service.backend import Backend
from orchestrator.store import migrate
from orchestrator.store.session import open_engine
from orchestrator.store.submissions import SubmitRequest
from tests.ledger import PATH_VARIABLE
from tests.programs import Program, Start

ROOT = Path(__file__).parents[1]

QUICK = {
    "ORCHESTRATOR_LEASE_SECONDS": "3",
    "ORCHESTRATOR_HEARTBEAT_SECONDS": "0.5",
    "ORCHESTRATOR_LOST_SECONDS": "5",
    "ORCHESTRATOR_RESEND_SECONDS": "1",
    "ORCHESTRATOR_DISPATCH_TIMEOUT_SECONDS": "10",
    "ORCHESTRATOR_MAIL_SWEEP_SECONDS": "0.5",
}


class Timeout(AssertionError):
    """A condition did not come true in time."""


def wait_until(condition: Callable[[], object], *, seconds: float, what: str) -> None:
    """Return when `condition` is true; ask again every 50 ms.

    Raises:
        Timeout: It is not, after `seconds`.
    """
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            raise Timeout(f"not within {seconds:.0f} s: {what}")
        pause.wait(0.05)


class Cluster:
    """Servers and processes of one test; everything ends with it.

    Args:
        directory: Where everything is kept.
        settings: Environment variables on top of the quick ones.
    """

    def __init__(self, directory: Path, settings: Mapping[str, str] | None = None) -> None:
        self.directory = directory
        self.postgres = PrivatePostgres(directory / "postgres", fsync=False)
        self.redis = PrivateRedis(directory / "redis")
        self.ledger = directory / "ledger"
        self.processes: dict[str, Program] = {}
        self._settings = dict(settings or {})
        self._leash = Pipe(duplex=False)  # processes end with us, also when the test program is killed
        self.environment: dict[str, str] = {}

    def __enter__(self) -> Self:
        """Start the servers and bring the schema up."""
        try:
            database_url, redis_url = self.postgres.start(), self.redis.start()
        except BaseException:
            self.close()
            raise
        self.environment = {
            **QUICK,
            "ORCHESTRATOR_HOME": str(self.directory / "home"),
            "ORCHESTRATOR_DATABASE_URL": database_url,
            "ORCHESTRATOR_REDIS_URL": redis_url,
            "PYTHONPATH": str(ROOT),
            PATH_VARIABLE: str(self.ledger),
            **self._settings,
        }
        engine = open_engine(database_url, "migration")
        migrate.upgrade(engine)
        engine.dispose()
        self.backend = Backend(load_settings(self.environment))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End everything; a failure shows the ends of the logs."""
        if error is not None:
            self._show_logs()
        self.close()

    def start_master(self, name: str = "master", **settings: str) -> Program:
        """Start a master process."""
        return self._start(name, ["orchestrator.cli", "master"], settings)

    def start_worker(
        self, name: str = "w1", *, concurrency: int = 4, groups: str = "default", **settings: str
    ) -> Program:
        """Start a Celery worker process."""
        arguments = ["celery", "-A", "orchestrator", "worker", "-n", f"{name}@%h", "-Q", groups]
        return self._start(
            name, [*arguments, "--concurrency", str(concurrency), "--loglevel", "INFO"], settings
        )

    def start_application(self, name: str, application: str, *options: str, **settings: str) -> Program:
        """Start the worker of another Celery application, as its owners do."""
        arguments = ["celery", "-A", application, "worker", "-n", f"{name}@%h", *options]
        return self._start(name, [*arguments, "--loglevel", "INFO"], settings)

    def kill(self, name: str) -> None:
        """Kill a process as `kill -9` does; its children are left to notice."""
        process = self.processes.pop(name)
        process.kill()
        process.wait(10)

    def stop(self, name: str, *, seconds: float = 40.0) -> int:
        """End a process in order; return its exit code. Celery gives the task of a lost child 10 s to turn up."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGTERM)
        return process.wait(seconds)

    def deploy(self, definition: WorkflowDefinition) -> int:
        """Deploy a definition; return its row's id."""
        return self.backend.definitions.deploy(definition, online=True).id

    def submit(self, definition_id: int) -> int:
        """Submit a run; return its id."""
        submitted = self.backend.submissions.submit(SubmitRequest(definition_id=definition_id))
        return submitted.id

    def states(self, *runs: int) -> dict[int, str]:
        """Return the states of runs; empty while the database is away."""
        try:
            return {run: state.value for run, state in self.backend.queries.states(runs).items()}
        except OrchestratorError:
            return {}

    def wait_for(self, *runs: int, seconds: float, state: str = "SUCCESS") -> None:
        """Wait until all runs are in `state`; a failure shows the ends of the logs."""
        try:
            wait_until(
                lambda: set(self.states(*runs).values()) == {state},
                seconds=seconds,
                what=f"runs in {state}",
            )
        except Timeout:
            self._show_logs()
            raise

    def close(self) -> None:
        """End processes and servers; more often: nothing."""
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(8)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)
        self.processes.clear()
        self.postgres.stop("immediate")
        self.redis.kill()
        for end in self._leash:
            end.close()

    def _show_logs(self) -> None:
        for log in sorted(self.directory.glob("*.log")):
            sys.stderr.write(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}\n")

    def _start(self, name: str, arguments: list[str], settings: Mapping[str, str]) -> Program:
        log = self.directory / f"{name}.log"
        start = Start(
            arguments=arguments,
            environment={**os.environ, **self.environment, **settings},
            directory=self.directory,
            output=log,
            errors=log,
            leash=self._leash[0],
            new_session=True,
        )
        self.processes[name] = program = Program(start)
        return program


@contextmanager
def temporary_cluster(settings: Mapping[str, str] | None = None) -> Iterator[Cluster]:
    """Give a cluster in a directory of its own; pytest's are closed to the server's user by the next session."""
    directory = Path(mkdtemp(prefix="orchestrator-cluster-"))
    try:
        with Cluster(directory, settings) as cluster:
            yield cluster
    finally:
        rmtree(directory, ignore_errors=True)
