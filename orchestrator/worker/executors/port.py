"""Owns the port of executors: what a task type must offer to run on a worker. Entry points add more types."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from orchestrator.core.order import Order
from orchestrator.errors import OrchestratorError
from orchestrator.worker.capture import Capture
from orchestrator.worker.interrupt import Interrupts
from orchestrator.worker.logs import AttemptLog
from orchestrator.worker.vault import Vault


class TaskFailure(OrchestratorError):
    """The attempt failed for a reason that the user should read.

    Args:
        reason: One line for people.
        error: What `non_retryable` is compared with: an exception's name, or an exit code as text.
        exit_code: Exit code of the program, where there was one.
    """

    def __init__(self, reason: str, *, error: str, exit_code: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.error = error
        self.exit_code = exit_code


class UnknownCallable(OrchestratorError):
    """This worker cannot run the order: what it calls cannot be imported here; another worker may have it."""


class UnknownBundle(OrchestratorError):
    """This worker cannot run the order: it does not have the order's files; another worker may have them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The attempt succeeded."""

    outputs: Mapping[str, Any] = field(default_factory=dict)
    exit_code: int | None = None
    external_ids: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """What an executor gets from its worker.

    Attributes:
        scratch: Directory below which an attempt may make one of its own.
        source_dir: Where this worker has the definitions' files; an order may name another one.
        bundle: The files of this order, if it names a bundle: where it runs.
        environment: Base environment of programs; it holds no settings of ours.
        log: The attempt's log.
        capture: Sends what python code prints into the log while the context is open.
        interrupts: Lets the worker end python code that runs in this process.
        connections: SQLAlchemy URLs, or `secret://name`, by the name of the connection in capitals.
        vault: The attempt's secrets. Those in an order's parameters are resolved already; an executor resolves
            those in `spec`. What is hidden here is masked in the log, the outputs and the reason.
    """

    scratch: Path
    source_dir: Path | None
    environment: Mapping[str, str]
    log: AttemptLog
    capture: Capture
    interrupts: Interrupts
    connections: Mapping[str, str] = field(default_factory=dict, repr=False)
    bundle: Path | None = None
    vault: Vault = field(default_factory=Vault)


class Work(Protocol):
    """One attempt, ready to start."""

    @property
    def process_group(self) -> int | None:
        """Group of the processes that it is going to use, known before it starts; `None`: it has no own."""

    def run(self) -> Finished:
        """Do the task and wait for its end.

        Raises:
            TaskFailure: It failed.
            Defer: It asks to be called again later.
        """

    def discard(self) -> None:
        """Give up what was prepared: another worker has the attempt. Called instead of `run`."""


class Executor(Protocol):
    """A task type."""

    def prepare(self, order: Order, workplace: Workplace) -> Work:
        """Get everything ready, quickly, without starting the task: it is not claimed yet.

        Raises:
            UnknownCallable: What the order calls cannot be imported here.
            TaskFailure: The order cannot work anywhere.
        """
