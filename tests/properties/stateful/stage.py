"""Owns the stage: the real core, loop and store in one thread; the reference model sees every commit."""

import sqlite3
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, text

from orchestrator.core.changes import Changes, Leases
from orchestrator.core.command import CommandKind
from orchestrator.core.event import RejectReason
from orchestrator.core.order import Order
from orchestrator.core.status import TaskState
from orchestrator.errors import CommitInDoubt, StoreUnavailable
from orchestrator.store import migrate
from orchestrator.store.session import open_engine, reading
from orchestrator.testing.clock import BEGINNING
from tests.properties.stateful import picture
from tests.properties.stateful.drawing import EXECUTIONS, POOLS, christened, definition_of
from tests.properties.stateful.plan import Plan
from tests.properties.stateful.reference import Reference
from tests.properties.stateful.sharing import rest_faults
from tests.world import HandWorker, World, slot_of

TICK_S = 3.0
MOST_PATIENCE = 60
"""So many seconds a command waits for its answer at most, whatever fails meanwhile."""

MOST_ROUNDS = 600
"""So many rounds everything takes to its end; each passes at least a second."""


class Database:
    """One migrated SQLite database in memory, which is as new for each stage."""

    def __init__(self) -> None:
        self.now: Callable[[], datetime] = lambda: BEGINNING
        self.engine: Engine = open_engine("sqlite://", "master", sqlite_clock=self._now)
        migrate.upgrade(self.engine)
        self._template = sqlite3.connect(":memory:")
        self._copy(to=self._template)

    def renew(self) -> None:
        """Forget everything that was written, ids that were given included."""
        self.now = lambda: BEGINNING
        self._copy(of=self._template)

    def close(self) -> None:
        """Let go of it."""
        self._template.close()
        self.engine.dispose()

    def _now(self) -> datetime:
        return self.now()

    def _copy(self, **ends: sqlite3.Connection) -> None:
        connection = self.engine.raw_connection()
        try:
            own: Any = connection.driver_connection
            ends.get("of", own).backup(ends.get("to", own))
        finally:
            connection.close()


class Stage:
    """People, a worker, time and faults, around one master.

    Args:
        database: Where everything is written.
    """

    def __init__(self, database: Database) -> None:
        database.renew()
        self.world = World(database.engine)
        database.now = self.world.rig.clock.now
        self.reference = Reference(POOLS)
        self.faults: list[str] = []
        self.failing: list[bool] = []
        self.late: list[tuple[HandWorker, Order]] = []
        self._incarnations = 1
        self._holds: set[tuple[int, str]] = set()
        self.world.rig.committer = self
        for name, slots in POOLS.items():
            self.world.rig.pools.set(name, slots)

    @property
    def runs(self) -> list[int]:
        """The runs that there are."""
        return list(self.reference.new.runs)

    # --- the committer -----------------------------------------------------------------------

    def commit(self, changes: Changes, leases: Leases) -> datetime:
        """Commit and look; or fail before anything is written, or with the reply lost after it."""
        fails = self.failing.pop(0) if self.failing else None
        if fails is False:
            raise StoreUnavailable("gone")
        at = self.world.rig.commit.commit(changes, leases)
        self.look()
        if fails:
            raise CommitInDoubt("no reply to COMMIT")
        return at

    def look(self) -> None:
        """Let the reference model look at what is committed."""
        rig = self.world.rig
        self.faults += self.reference.look(picture.take(rig.engine, rig.clock.monotonic()))

    # --- people ------------------------------------------------------------------------------

    def submit(self, drawn: Plan, name: str) -> None:
        """Submit a run of a plan under one of the four names."""
        plan = christened(drawn, f"{name}{len(self.runs)}", EXECUTIONS[name])
        *kids, _ = plan.family()
        for kid in kids:
            self.world.rig.deploy(definition_of(kid, kid.name))
        run = self.world.submit(*definition_of(plan, name).tasks, **_fields(plan, name))
        self.reference.submitted(run, plan)
        self.settle()

    def ask(self, run: int, kind: CommandKind, what: str, times: int = 1, **body: Any) -> None:
        """Ask for something, whether or not it fits, and see it answered."""
        if what == "hold":
            self._holds.add((run, body["task"]))
        for _ in range(times):
            self.reference.asked(run, what)
            self.world.command(kind, run, **body)
        self.settle()

    def tasks(self, run: int) -> list[str]:
        """Return the tasks of a run."""
        return list(self.reference.plan(run).steps)

    def approval(self, run: int) -> str | None:
        """Return an approval that a run waits for, if there is one."""
        current = self.reference.new.current[run].values()
        waiting = (one.task for one in current if one.type == "approval" and one.state == "RUNNING")
        return next(waiting, None)

    # --- time --------------------------------------------------------------------------------

    def settle(self) -> None:
        """Let everybody go on until nothing happens by itself and every command is answered."""
        self.world.settle()
        waited = 0.0
        while waited < MOST_PATIENCE and (self.failing or self._unanswered()):
            self.world.pass_time(1.0)
            waited += 1.0
            if not self._unanswered():
                self.failing.clear()  # nobody had anything to commit
        if self._unanswered():
            self.faults.append(f"a command has no answer after {waited:.0f} s")
        self.look()
        parked = self.world.rig.master.lanes.parked
        self.faults += [f"run {run} is parked: {lane.error}" for run, lane in parked.items()]

    def pass_time(self, seconds: float) -> None:
        """Let time pass."""
        self.world.pass_time(seconds, tick_s=min(seconds, TICK_S))
        self.settle()

    def restart_master(self) -> None:
        """Throw a master's memory away; another one loads the rows."""
        self.world.restart_master()
        self.settle()

    # --- workers -----------------------------------------------------------------------------

    @property
    def held(self) -> list[Order]:
        """What the worker holds."""
        return list(self.world.worker.held.values())

    def take(self, *, silently: bool = False) -> None:
        """Let the worker take an order and, unless its report comes later, say that it runs."""
        order = self.world.worker.take()
        if order is not None:
            self._check_alone(order)
            if not silently:
                self.world.worker.running(order)
        self.settle()

    def end(self, order: Order, *, success: bool, rows: int = 9, **fields: Any) -> None:
        """Let the worker say how an attempt ended."""
        step = self.reference.plan(order.workflow_instance_id).steps[order.task.partition("[")[0]]
        good = success and (step.limit is None or rows > step.limit)
        self.reference.said((order.workflow_instance_id, order.task, order.attempt), success=good)
        state = TaskState.SUCCESS if success else TaskState.FAILURE
        self.world.worker.result(order, state, outputs={"rows": rows} if success else {}, **fields)
        self.settle()

    def defer(self, order: Order, seconds: float) -> None:
        """Let an attempt ask to be called again."""
        self.world.worker.delay(order, seconds)
        self.settle()

    def reject(self, order: Order) -> None:
        """Let the worker give an order back."""
        self.world.worker.reject(order, RejectReason.OVERLOAD)
        self.settle()

    def kill_worker(self) -> None:
        """Let the worker die, with all that it holds, and start again."""
        self.late = [(self.world.worker, order) for order in self.held]
        self._incarnations += 1
        worker = self.world.replace_worker(f"w1-{self._incarnations}")
        for slot in sorted({slot_of(run) for run in self.runs}):
            worker.online(slot)
        self.settle()

    def report_late(self) -> None:
        """Let what the dead worker had still to say arrive now: it counts only if nobody else has the attempt."""
        for worker, order in self.late:
            self.reference.said((order.workflow_instance_id, order.task, order.attempt), success=True)
            worker.result(order, TaskState.SUCCESS, outputs={"rows": 9})
        self.late = []
        self.settle()

    def _check_alone(self, order: Order) -> None:
        """Note if the worker runs another attempt of the same task, which nobody told it to end."""
        for one in self.held:
            same = (one.workflow_instance_id, one.task) == (order.workflow_instance_id, order.task)
            if same and one.id not in {order.id, *self.world.rig.broker.stops}:
                self.faults.append(f"{one.id} and {order.id} run at a time")

    def obey(self) -> None:
        """Let the worker end what it was told to end."""
        told = [order for order in self.held if order.id in self.world.rig.broker.stops]
        for order in told:
            self.world.worker.result(order, TaskState.KILLED)
        self.settle()

    # --- the end -----------------------------------------------------------------------------

    def play_on(self) -> None:
        """Let people undo what holds the runs, and workers end what they have, until everything has ended."""
        for _ in range(MOST_ROUNDS):
            self._let_go_on()
            while (order := self.world.worker.take()) is not None:
                self._check_alone(order)
            self.obey()
            for order in self.held:
                self.world.worker.running(order)
                self.end(
                    order, success=(order.workflow_instance_id + len(order.task) + order.attempt) % 3 > 0
                )
            if self.faults or self._at_rest():
                break
            self.world.rig.pass_time()
        self.faults += rest_faults(self.reference.new)

    def run_again(self) -> None:
        """Let people recover, or rerun from the beginning, what has ended."""
        for number in sorted(self.reference.tops):
            if self.reference.new.runs[number].state != "SUCCESS" and number % 2:
                self.ask(number, CommandKind.RECOVER, "recover")
            else:
                self.ask(number, CommandKind.RERUN, "rerun")

    def _at_rest(self) -> bool:
        seen = self.reference.new
        going = any(one.is_live for one in seen.attempts.values())
        return all(run.is_over for run in seen.runs.values()) and not (
            going or seen.slots or self._unanswered()
        )

    def _let_go_on(self) -> None:
        """Resume what people have paused, and that alone; give every approval."""
        seen = self.reference.new
        for run in self.reference.paused_by_hand():
            self.ask(run, CommandKind.RESUME, "resume")
        for run, task in sorted(self._holds):
            self.ask(run, CommandKind.RESUME, "release", task=task)
        self._holds.clear()
        for one in seen.attempts.values():
            if one.type == "approval" and one.state == "RUNNING":
                self.ask(one.run, CommandKind.SIGNAL, "signal", task=one.task, outputs={})

    def _unanswered(self) -> int:
        with reading(self.world.rig.engine) as connection:
            return int(connection.execute(text("SELECT count(*) FROM command")).scalar_one())


def _fields(plan: Plan, name: str) -> dict[str, Any]:
    definition = definition_of(plan, name)
    return {
        "name": name,
        "on_failure": definition.on_failure,
        "execution": definition.execution,
        "timeout_s": definition.timeout_s,
        "on_timeout": definition.on_timeout,
    }
