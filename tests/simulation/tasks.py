"""Owns what simulated tasks do: each follows its script, and writes what it really did into the ledger."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.core.deferral import Defer
from orchestrator.core.event import RejectReason
from orchestrator.core.order import Order
from orchestrator.worker.executors.port import Finished, TaskFailure, Workplace
from orchestrator.worker.gate import Rejected
from orchestrator.worker.interrupt import Interrupted
from orchestrator.worker.spool import Spool
from tests.simulation import ledger as ledgers
from tests.simulation.ledger import Execution, Ledger, key_of
from tests.simulation.plan import Script
from tests.simulation.schedule import Process, Schedule, Signal
from tests.simulation.story import Story
from tests.simulation.workload_checks import ABSENT, ROWS

FOR_EVER_S = 10_000_000.0
JUST_AFTER_S = 2.0
"""What begins so soon after a worker was cut off had been claimed before."""

RECOVERS_S = 5.0
"""Whoever is away again so soon after it came back has hardly been heard in between."""

LONG_AWAY_S = 11.0
"""After 15 s without a heartbeat a worker is lost; the last one may be 3 s older than what took it away."""


class SimulatedTasks:
    """The world's tasks.

    Args:
        schedule: Time.
        ledger: Where executions are written down.
        scripts: Run id to its tasks' scripts.
        failures: Counts the failed attempts of a task that the database has.
        witness: Asked about each execution as it begins: what is wrong with it, if anything.
        story: Told what tasks do.

    Attributes:
        wrong: What the witness said.
    """

    def __init__(
        self,
        schedule: Schedule,
        ledger: Ledger,
        scripts: Mapping[int, Mapping[str, Script]],
        failures: Callable[[int, str], int],
        witness: Callable[[Order], str | None],
        story: Story,
    ) -> None:
        self.schedule = schedule
        self.ledger = ledger
        self.wrong: list[str] = []
        self._scripts = scripts
        self._failures = failures
        self._witness = witness
        self._story = story
        self._open: dict[Process, Execution] = {}
        self._unreported: dict[Process, Execution] = {}
        self._apart: dict[str, tuple[float, float]] = {}
        self.kill_own_process: Callable[[Process], None] = schedule.kill

    def executors(self, worker: str, process: Process, interrupt: Signal, spool: Spool) -> "Executors":
        """Return the executors of one process of a pool."""
        return Executors(_Place(self, worker, process, interrupt, spool))

    def script(self, run: int, task: str) -> Script:
        """Return what a task does."""
        return self._scripts.get(run, {}).get(task, Script())

    def begin(self, order: Order, process: Process, worker: str) -> Execution:
        """Write down the beginning of an execution, and let the witness look at it."""
        wrong = self._witness(order)
        if wrong is not None:
            self.wrong.append(wrong)
        execution = self.ledger.begin(order, worker, self.schedule.now_s)
        began_s, until_s = self._apart.get(worker, (0.0, 0.0))
        if self.schedule.now_s < until_s + JUST_AFTER_S:
            _set_apart(execution, began_s, until_s)
        self._story.tell(process.name, f"task {order.id} begins")
        self._open[process] = execution
        return execution

    def finish(self, process: Process, how: str) -> None:
        """Write down the end of what a process executes."""
        execution = self._open.pop(process, None)
        if execution is not None:
            self._unreported[process] = execution
            ledgers.end(execution, how, self.schedule.now_s)
            self._story.tell(process.name, f"task {execution.order_id} ends: {how}")

    def died(self, process: Process) -> None:
        """Write down that a process dies; call it before it does."""
        execution = self._open.get(process)
        if execution is not None:
            self.ledger.deaths[execution.key[:2]] += 1
        self.finish(process, "died")
        if process in self._unreported:
            self._unreported.pop(process).unheard = True

    def reported(self, process: Process) -> None:
        """Note that the end of what a process executed last is safe in the spool."""
        self._unreported.pop(process, None)

    def cut_off(self, worker: str, until_s: float, answers_for: Collection[str]) -> None:
        """Note that a worker is cut off: what it runs, or begins at once afterwards, is a zombie if that is long.

        Args:
            worker: Its name.
            until_s: Until when.
            answers_for: The orders in its spool: it may have ended some of them, and nobody has heard so.
        """
        now_s = self.schedule.now_s
        began_s, before_s = self._apart.get(worker, (now_s, 0.0))
        began_s = began_s if now_s < before_s + RECOVERS_S else now_s
        until_s = max(until_s, before_s)
        self._apart[worker] = (began_s, until_s)
        for execution in self.ledger.executions:
            if execution.worker == worker and (not execution.how or execution.order_id in answers_for):
                _set_apart(execution, began_s, until_s)

    def silenced(self, worker: str, answers_for: Collection[str]) -> None:
        """Note that a worker died with these orders in its spool: nobody hears of them until it comes back."""
        now_s = self.schedule.now_s
        for execution in self.ledger.executions:
            if execution.worker != worker or execution.order_id not in answers_for:
                continue
            before_s = execution.spooled_s
            if before_s is None or now_s > before_s + execution.away_s + RECOVERS_S:
                execution.spooled_s = now_s
            execution.away_s = FOR_EVER_S

    def back(self, worker: str) -> None:
        """Note that a worker lives again, and has said what its spool held."""
        for execution in self.ledger.executions:
            if (
                execution.worker == worker
                and execution.spooled_s is not None
                and execution.away_s == FOR_EVER_S
            ):
                execution.away_s = self.schedule.now_s - execution.spooled_s

    def spare(self, process: Process) -> bool:
        """Return whether a process runs a task that may lose a child without coming near the limit."""
        execution = self._open.get(process)
        if execution is None or self.ledger.deaths[execution.key[:2]]:
            return False
        return not self.script(*execution.key[:2]).deaths

    def failures_of(self, order: Order) -> int:
        """Return how many attempts of the order's task have failed before."""
        return self._failures(order.workflow_instance_id, order.task)


def _set_apart(execution: Execution, began_s: float, until_s: float) -> None:
    """Note that nobody hears of an execution for a while: it is a zombie if that is long enough to be lost."""
    execution.apart_until_s = until_s
    execution.zombie = execution.zombie or until_s - began_s >= LONG_AWAY_S


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a task runs."""

    tasks: SimulatedTasks
    worker: str
    process: Process
    interrupt: Signal
    spool: Spool


class Executors:
    """Knows every task type."""

    def __init__(self, place: _Place) -> None:
        self._place = place

    def find(self, task_type: str) -> "Executors":  # noqa: ARG002  a port's shape
        """Return the one executor there is."""
        return self

    def prepare(self, order: Order, workplace: Workplace) -> "SimulatedWork":  # noqa: ARG002  a port's shape
        """Return the work of an order, or reject it if its script says so."""
        tasks = self._place.tasks
        task = (order.workflow_instance_id, order.task)
        if tasks.ledger.rejects[task] < tasks.script(*task).rejects:
            tasks.ledger.rejects[task] += 1
            raise Rejected(RejectReason.OVERLOAD, "its script says so")
        return SimulatedWork(order, self._place)


class SimulatedWork:
    """One execution of a script."""

    process_group = None

    def __init__(self, order: Order, place: _Place) -> None:
        self._order = order
        self._place = place

    def run(self) -> Finished:
        """Follow the script."""
        place, tasks = self._place, self._place.tasks
        script = tasks.script(self._order.workflow_instance_id, self._order.task)
        tasks.begin(self._order, place.process, place.worker)
        how = "killed"
        try:
            outputs = self._follow(script)
            how = "success"
        except Defer:
            how = "deferral"
            raise
        except TaskFailure:
            how = "failure"
            raise
        finally:
            if place.process.alive:
                tasks.finish(place.process, how)
        return Finished(outputs=outputs)

    def discard(self) -> None:
        """Nothing was prepared."""

    def _follow(self, script: Script) -> Mapping[str, Any]:
        tasks, key = self._place.tasks, key_of(self._order)
        if tasks.ledger.deaths[key[:2]] < script.deaths:
            self._spend(script.takes_s / 2)
            tasks.kill_own_process(self._place.process)
        if tasks.ledger.deferrals[key] < script.deferrals:
            self._spend(script.takes_s / 2)
            tasks.ledger.deferrals[key] += 1
            raise Defer(script.defer_s)
        fails = tasks.failures_of(self._order) < script.failures
        self._spend(FOR_EVER_S if fails and script.hangs else script.takes_s)
        if fails and not script.spoils:
            raise TaskFailure("its script says so", error="Scripted")
        return outputs_by(script, self._order, fails=fails)

    def _spend(self, seconds: float) -> None:
        """Let the task's time pass, unless its worker ends it."""
        schedule = self._place.tasks.schedule
        until = schedule.now_s + seconds
        while schedule.now_s < until:
            if self._place.spool.ending(self._order.id) is not None:
                raise Interrupted
            schedule.wait(self._place.interrupt, until - schedule.now_s)
        if self._place.spool.ending(self._order.id) is not None:
            raise Interrupted


def outputs_by(script: Script, order: Order, *, fails: bool) -> Mapping[str, Any]:
    """Return what an attempt gives that ends well, or fails by what it gives."""
    is_spoilt = script.spoils and (fails or not script.failures)
    outputs: dict[str, Any] = {name: f"{order.task}.{name}" for name in order.outputs if name != ABSENT}
    return outputs | {ROWS: int(not is_spoilt)} if ROWS in outputs else outputs
