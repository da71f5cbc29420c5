"""Owns one hand-over on its worker, step by step: admit, claim, run, report."""

import os
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import structlog

from orchestrator.broker import codec
from orchestrator.core.deferral import Defer
from orchestrator.core.event import RejectReason, TaskDelayed, TaskResult
from orchestrator.core.order import Order
from orchestrator.crash import crash_point
from orchestrator.errors import BrokerUnavailable, MalformedEvent
from orchestrator.secret_source import SecretSource, SecretUnavailable, WorkerSecrets
from orchestrator.worker.claiming import Claiming
from orchestrator.worker.discretion import UNKNOWN_SECRET, DiscreetWork, failure_of, masked_failure
from orchestrator.worker.executors.port import (
    Executor,
    Finished,
    TaskFailure,
    UnknownBundle,
    UnknownCallable,
    Work,
    Workplace,
)
from orchestrator.worker.executors.registry import UnknownType
from orchestrator.worker.gate import Gate, Rejected
from orchestrator.worker.interrupt import Interrupted
from orchestrator.worker.logs import AttemptLog, log_path
from orchestrator.worker.outcome import Outcome, Place, Speaker, ended_by, failed, succeeded, utc_now
from orchestrator.worker.ports import Identity
from orchestrator.worker.process_groups import started_at
from orchestrator.worker.reporter import Reporter
from orchestrator.worker.spool import Spool
from orchestrator.worker.spool_file import SpoolUnwritable
from orchestrator.worker.spooled import AttemptFacts
from orchestrator.worker.time_limits import TimeLimits
from orchestrator.worker.vault import Vault

log = structlog.get_logger(__name__)

FAIL = "fail"


class Executors(Protocol):
    """Where executors are found."""

    def find(self, task_type: str) -> Executor:
        """Return the executor of `task_type`, or raise UnknownType."""


class Bundles(Protocol):
    """Where files of tasks are found."""

    def using(self, name: str) -> AbstractContextManager[Path]:
        """Give the directory of a bundle, which stays while the context is open, or raise UnknownBundle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a runner works with, one of each per process.

    Attributes:
        workplace: Returns what the executor of an attempt gets, around that attempt's log.
        secrets: Where secrets come from.
        threaded: The pool has threads instead of children.
        pid: Id of the process that runs an attempt.
        clock: What this machine's clock shows, aware UTC.
        shield: Opened around an order: keeps Celery's soft time limit away from our own code.
        limits: Celery's time limits.
    """

    spool: Spool
    claiming: Claiming
    reporter: Reporter
    executors: Executors
    bundles: Bundles
    gate: Gate
    workplace: Callable[[AttemptLog], Workplace]
    logs: Path
    secrets: SecretSource = field(default_factory=WorkerSecrets)
    threaded: bool = False
    pid: Callable[[], int] = os.getpid
    clock: Callable[[], datetime] = utc_now
    shield: Callable[[], AbstractContextManager[None]] = nullcontext
    limits: TimeLimits = field(default_factory=TimeLimits)


class Runner:
    """Carries out orders, one after the other, in one process or thread of the pool.

    Args:
        identity: Who this worker is.
        tools: What it works with.
    """

    def __init__(self, identity: Identity, tools: Tools) -> None:
        self._identity = identity
        self._tools = tools
        self._speaker = Speaker(identity, tools.clock)

    def run(self, message: Mapping[str, Any]) -> None:
        """Carry out the order in `message`, and return when its end is safely reported.

        Returning means that the message is done with, also when the hand-over was refused or given back.
        """
        with self._tools.shield():
            self._run(message)

    def _run(self, message: Mapping[str, Any]) -> None:
        try:
            order, generation = codec.order_from_message(message)
        except MalformedEvent as error:
            log.error("worker.order_malformed", error=str(error))  # noqa: TRY400 - its text says it all
            return
        crash_point("worker.before_claim")
        vault = Vault(self._tools.secrets, order.ticket)
        attempt_log = AttemptLog(log_path(self._tools.logs, order), masks=vault.masks)
        with ExitStack() as held:
            try:
                self._tools.gate.check()
                work = self._prepare(order, attempt_log, vault, held)
            except Rejected as rejected:
                self._give_back(order, generation, rejected)
                return
            try:
                self._carry_out(order, generation, work, attempt_log)
            finally:
                attempt_log.close()

    def _prepare(self, order: Order, attempt_log: AttemptLog, vault: Vault, held: ExitStack) -> Work:
        """Return the work; what it needs until its end is entered into `held`."""
        try:
            executor = self._tools.executors.find(order.type)
            workplace = replace(self._tools.workplace(attempt_log), vault=vault)
            if order.bundle is not None:
                bundle = held.enter_context(self._tools.bundles.using(order.bundle))
                workplace = replace(workplace, bundle=bundle)
            return DiscreetWork(order, executor.prepare(vault.opened(order), workplace), vault)
        except Rejected:
            raise
        except UnknownType as error:
            raise Rejected(RejectReason.UNKNOWN_TYPE, str(error)) from error
        except UnknownCallable as error:
            raise Rejected(RejectReason.UNKNOWN_CALLABLE, vault.masked(str(error))) from error
        except UnknownBundle as error:
            raise Rejected(RejectReason.UNKNOWN_BUNDLE, f"{error} {self._identity.name}") from error
        except TaskFailure as failure:
            return _HopelessWork(masked_failure(failure, vault))
        except SecretUnavailable as error:
            return _HopelessWork(TaskFailure(str(error), error=UNKNOWN_SECRET))
        except OSError as error:
            return _HopelessWork(TaskFailure(f"cannot start: {error}", error=type(error).__name__))
        except Exception as error:  # noqa: BLE001 - a bug of the executor: it ends its task, not the worker
            return _HopelessWork(failure_of(error, order, vault))

    def _give_back(self, order: Order, generation: str, rejected: Rejected) -> None:
        """Claim the hand-over with the reject instead of RUNNING: no copy of the message can start then."""
        log.info("worker.rejected", order_id=order.id, reason=str(rejected.reason), detail=rejected.detail)
        event = self._speaker.rejected(order, rejected)
        try:
            self._tools.claiming.give_back(order, generation, event)
        except (BrokerUnavailable, SpoolUnwritable):
            self._tools.reporter.report(order.id, order.workflow_instance_id, event)

    def _carry_out(self, order: Order, generation: str, work: Work, attempt_log: AttemptLog) -> None:
        place = Place(
            pid=self._tools.pid(),
            process_group=work.process_group,
            log_path=str(attempt_log.path),
            started_at=self._tools.clock(),
        )
        try:
            claimed = self._claim(order, generation, place)
        except BaseException:
            work.discard()
            raise
        if not claimed:
            work.discard()
            return
        crash_point("worker.after_claim")
        event = self._perform(order, work, place)
        crash_point("worker.after_execute")
        self._report(order, event, place)

    def _report(self, order: Order, event: TaskDelayed | TaskResult, place: Place) -> None:
        try:
            self._tools.reporter.report(order.id, order.workflow_instance_id, event)
        except MalformedEvent as error:  # what the task returned cannot be stored
            outcome = failed(TaskFailure(f"result refused: {error}", error="InvalidOutput"))
            result = self._speaker.result(order, place, outcome)
            self._tools.reporter.report(order.id, order.workflow_instance_id, result)

    def _claim(self, order: Order, generation: str, place: Place) -> bool:
        running = self._speaker.running(order, place)
        try:
            facts, limit_s = self._facts(order, place), self._limit_s(order)
            return self._tools.claiming.claim(order, generation, facts, running, limit_s)
        except SpoolUnwritable as error:
            self._give_back(order, generation, Rejected(RejectReason.OVERLOAD, str(error)))
        except BrokerUnavailable as error:
            # Nobody knows whether the claim was made: DELAY ends the hand-over either way.
            log.warning("worker.claim_in_doubt", order_id=order.id, error=str(error))
            event = self._speaker.unbegun(order)
            self._tools.reporter.report(order.id, order.workflow_instance_id, event)
        return False

    def _facts(self, order: Order, place: Place) -> AttemptFacts:
        return AttemptFacts(
            order_id=order.id,
            incarnation=self._identity.incarnation,
            pid=place.pid,
            thread=threading.get_ident() if self._tools.threaded else None,
            process_group=place.process_group,
            group_started=started_at(place.process_group) if place.process_group else None,
        )

    def _limit_s(self, order: Order) -> float | None:
        """Return after how long the worker ends the attempt: its own timeout, or Celery's hard limit."""
        own = order.timeout_s if order.on_timeout == FAIL else None
        hard = self._tools.limits.hard_s_of(order.type, order.spec)
        return min((limit for limit in (own, hard) if limit is not None), default=None)

    def _perform(self, order: Order, work: Work, place: Place) -> TaskDelayed | TaskResult:
        try:
            outcome = self._outcome(order, work)
        except Defer as defer:
            return self._speaker.delayed(order, defer)
        return self._speaker.result(order, place, outcome)

    def _outcome(self, order: Order, work: Work) -> Outcome:
        try:
            outcome = succeeded(work.run())
        except Defer:
            if self._tools.spool.ending(order.id) is None:
                raise
            outcome = succeeded(Finished())  # being ended: what it asks for no longer counts
        except TaskFailure as failure:
            outcome = failed(failure)
        except Interrupted:  # a thread's, outside of what the executor guards
            outcome = failed(TaskFailure("interrupted", error="Interrupted"))
        ending = self._tools.spool.ending(order.id)
        return ended_by(ending, outcome.exit_code) if ending else outcome


class _HopelessWork:
    """Work that failed while it was prepared; the failure is reported once the attempt is claimed."""

    process_group = None

    def __init__(self, failure: TaskFailure) -> None:
        self._failure = failure

    def run(self) -> Finished:
        """Raise the failure."""
        raise self._failure

    def discard(self) -> None:
        """Nothing was prepared."""
