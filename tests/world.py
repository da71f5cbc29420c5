"""Owns the world of the invariant tests: a master in a rig, and a worker that does nothing but by hand."""

import dataclasses
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, delete, exists, select, update

from orchestrator.broker.codec import encode
from orchestrator.broker.presence import WorkerBeat
from orchestrator.broker.stream import Entry
from orchestrator.core.command import CommandKind
from orchestrator.core.definition import TaskDefinition, WorkflowDefinition
from orchestrator.core.event import (
    RejectReason,
    TaskDelayed,
    TaskDispatched,
    TaskResult,
    TaskRunning,
    WorkerOnline,
    WorkerReject,
)
from orchestrator.core.instance import TaskInstance
from orchestrator.core.order import Order
from orchestrator.core.run import WorkflowInstance
from orchestrator.core.status import TaskState, WorkflowState
from orchestrator.errors import BrokerUnavailable
from orchestrator.master.items import Item, ReportItem
from orchestrator.master.lanes import Lanes
from orchestrator.store import schema
from orchestrator.store.rows import ATTEMPT_COLUMNS, attempt_of
from orchestrator.store.session import reading, writing
from orchestrator.testing.redis import MemoryBeats, MemoryBroker, MemoryStreams
from orchestrator.testing.rig import Rig, succeed
from orchestrator.testing.worker import SimulatedWorker

E = TypeVar("E", TaskDelayed, TaskRunning, TaskResult, WorkerReject)

SLOTS = 64
WORKER = "w1@rig"

CLEANED = (
    schema.pool_slot,
    schema.pool_place,
    schema.pool,
    schema.backfill_run,
    schema.backfill,
    schema.schedule,
    schema.outbox,
    schema.error_command,
    schema.command,
    schema.task_cache,
    schema.task_instance,
    schema.workflow_instance,
    schema.serial_holder,
    schema.workflow_definition,
)

ALL_ROWS = {table.name: select(table).order_by(*table.primary_key) for table in CLEANED}

WHICH_HAVE_ROWS = select(*(exists(select(1).select_from(table)).label(table.name) for table in CLEANED))
"""Few have: to ask first spares a third of the statements of a test that compares databases."""


class Killed(BaseException):
    """The master died here, as by `kill -9`: nothing catches it."""


class StumblingStreams(MemoryStreams):
    """Streams whose acknowledgement can fail alone.

    Attributes:
        refuses: The next acknowledgements fail, and nothing is acknowledged.
        dies: `before` or `after`: the master dies beside an acknowledgement.
        passes: How many acknowledgements go well before that.
    """

    def __init__(self) -> None:
        super().__init__()
        self.refuses = False
        self.dies: str | None = None
        self.passes = 0

    def acknowledge(self, verdicts: Any) -> None:
        """Acknowledge, unless told otherwise."""
        if self.refuses:
            raise BrokerUnavailable("the acknowledgement got lost")
        when = _turn_of(self)
        if when == "before":
            raise Killed
        super().acknowledge(verdicts)
        if when == "after":
            raise Killed

    def wipe(self) -> None:
        """Forget every entry, as a Redis without its data."""
        self._new.clear()
        self._pending.clear()


class StumblingBroker(MemoryBroker):
    """A broker beside which the master can die, `before` or `after` it publishes; `passes` go well before.

    Attributes:
        chokes: What a batch raises that holds an order of the task `bad`.
    """

    dies: str | None = None
    passes: int = 0
    chokes: Exception | None = None

    def publish(self, orders: Any, generation: str) -> None:
        """Publish, unless told otherwise."""
        if self.chokes is not None and any(order.task == "bad" for order in orders):
            raise self.chokes
        when = _turn_of(self)
        if when == "before":
            raise Killed
        super().publish(orders, generation)
        if when == "after":
            raise Killed

    def wipe(self) -> None:
        """Forget everything and begin another generation, as a Redis without its data."""
        self.queues.clear()
        self.claims.clear()
        self.stops.clear()
        self.generation = f"{self.generation}+"
        self.is_new = True


class HandWorker(SimulatedWorker):
    """A worker that does nothing by itself: the test takes orders and reports, event by event.

    Attributes:
        held: The orders that it has claimed and lists in its heartbeat.
        silent: It gives no sign of life.
    """

    def __init__(self, rig: Rig, name: str = WORKER, incarnation: str = "w1-1") -> None:
        super().__init__(name, incarnation, rig.broker, rig.streams, succeed, slot_of=slot_of)
        self.held: dict[str, Order] = {}
        self.silent = False

    def step(self) -> int:
        """Do nothing."""
        return 0

    def beat(self, beats: MemoryBeats) -> None:
        """Show that it lives and what it holds, unless it is silent."""
        if not self.silent:
            beats.beat(
                WorkerBeat(
                    name=self.name,
                    incarnation=self.incarnation,
                    groups=self._groups,
                    capacity=self._capacity,
                    running=tuple(self.held),
                )
            )

    def take(self) -> Order | None:
        """Take one order and claim it; `None` when none can be had."""
        for group in (*self._groups, f"{self.name}.dq2"):
            while (order := self._broker.take(group)) is not None:
                if self._broker.claim(order.id, f"{self.name}|{self.incarnation}"):
                    self.ran.append(order.id)
                    self.held[order.id] = order
                    return order
        return None

    def take_all(self) -> dict[str, Order]:
        """Take everything; return the orders by task."""
        taken: dict[str, Order] = {}
        while (order := self.take()) is not None:
            taken[order.task] = order
        return taken

    def running(self, order: Order, **fields: Any) -> Entry:
        """Report RUNNING."""
        values = {
            "host": "here",
            "pid": 7,
            "process_group": 7,
            "log_path": "/logs/1",
            "external_ids": {"k": "v"},
        }
        return self.report(order, TaskRunning(**{**self.token(order), **values, **fields}))

    def result(self, order: Order, state: TaskState = TaskState.SUCCESS, **fields: Any) -> Entry:
        """Report RESULT."""
        self.held.pop(order.id, None)
        return self.report(order, TaskResult(**{**self.token(order), "state": state, **fields}))

    def delay(self, order: Order, seconds: float) -> Entry:
        """Report DELAY."""
        self.held.pop(order.id, None)
        return self.report(order, TaskDelayed(**self.token(order), seconds=seconds))

    def reject(self, order: Order, reason: RejectReason, detail: str = "") -> Entry:
        """Report WORKER_REJECT."""
        self.held.pop(order.id, None)
        event = WorkerReject(**self.token(order), reason=reason, detail=detail)
        return self._streams.add(slot_of(order.workflow_instance_id), encode(event), worker=self.name)

    def online(self, slot: int) -> Entry:
        """Report ONLINE into one slot."""
        event = WorkerOnline(worker=self.name, incarnation=self.incarnation)
        return self._streams.add(slot, encode(event), worker=self.name)


class World:
    """One master, one worker by hand, one run at a time.

    Args:
        engine: A migrated database, which is emptied; default: SQLite in memory.
        by_hand: Whether the worker only does what the test says; else it runs what it gets, to the end.
        rig: What else the rig is to be made with.

    Attributes:
        settled: How often everybody was let go on: how far a test has come.
    """

    def __init__(self, engine: Engine | None = None, *, by_hand: bool = True, **rig: Any) -> None:
        if engine is not None:
            empty(engine)
        self.streams = StumblingStreams()
        self.broker = StumblingBroker()
        self.rig = Rig(engine, streams=self.streams, broker=self.broker, **rig)
        self.worker = HandWorker(self.rig)
        if by_hand:
            self.rig.worker = self.worker
        self.run = 0
        self.settled = 0

    # --- doing -------------------------------------------------------------------------------

    def submit(self, *tasks: TaskDefinition, **fields: Any) -> int:
        """Submit a run of these tasks; it is the run that the other methods are about."""
        definition = WorkflowDefinition(**{"name": "w", "tasks": tasks, **fields})
        self.run = self.rig.submit(definition)
        return self.run

    def read(self) -> None:
        """Let the reader read what stands in the streams; the loop has not seen it yet."""
        step = self.rig.master.reader.step
        while step(block_ms=0) or step(block_ms=0):  # a new reader begins at what it had read before
            pass

    def step(self) -> bool:
        """Let the loop take one turn, and nobody else."""
        return self.rig.master.loop.step()

    def settle(self) -> None:
        """Let everybody go on until nothing happens without time passing."""
        self.settled += 1
        self.rig.settle()

    def pass_time(self, seconds: float, *, tick_s: float = 1.0) -> None:
        """Let time pass, tick by tick."""
        for _ in range(round(seconds / tick_s)):
            self.rig.clock.advance(tick_s)
            self.settle()

    def command(self, kind: CommandKind, run: int | None = None, **body: Any) -> None:
        """Leave a command for the run and say so; the loop has not seen it yet."""
        command = self.rig.commands.send(run or self.run, kind, body)
        self.streams.wake(command.slot)
        self.read()

    def started(self) -> Order:
        """Take the one order that is out, report RUNNING, and let the master hear it."""
        self.settle()
        order = self.taken()
        self.worker.running(order)
        self.settle()
        return order

    def taken(self) -> Order:
        """Take the one order that is out."""
        order = self.worker.take()
        assert order is not None, "nothing was dispatched"
        return order

    def finish(self, most_s: int = 600) -> WorkflowState:
        """Let every order succeed until the run has ended; return its state."""
        for _ in range(most_s):
            self.settle()
            for order in self.worker.take_all().values():
                self.worker.running(order)
                self.worker.result(order)
            self.settle()
            if self.state in (WorkflowState.SUCCESS, WorkflowState.FAILURE, WorkflowState.STOPPED):
                return self.state
            self.rig.clock.advance(1.0)
        raise AssertionError(f"the run does not end: {self.picture()}")

    def restart_master(self) -> None:
        """Start another master, as after the death of the one before and the end of its lease."""
        with writing(self.rig.engine) as connection:
            connection.execute(update(schema.slot_lease).values(owner=None, expires_at=None))
        self.rig.start_master()

    def replace_worker(self, incarnation: str) -> HandWorker:
        """Let the worker die and start again; return its new self."""
        self.worker = HandWorker(self.rig, self.worker.name, incarnation)
        self.rig.worker = self.worker
        return self.worker

    def say(self, row: TaskInstance, kind: type[E], **fields: Any) -> Entry:
        """Report something about a row, as its owner, or else as the worker by hand."""
        values = {
            "workflow_instance_id": row.workflow_instance_id,
            "task": row.task,
            "attempt": row.attempt,
            "dispatch": row.dispatch,
            "ticket": row.ticket,
            "worker": row.worker or self.worker.name,
            "incarnation": row.incarnation or self.worker.incarnation,
        }
        event = kind(**{**values, **fields})
        return self.add(encode(event), slot_of(event.workflow_instance_id))

    def say_dispatched(self, row: TaskInstance) -> None:
        """Report DISPATCH about a row, as the dispatcher."""
        event = TaskDispatched(
            workflow_instance_id=row.workflow_instance_id,
            task=row.task,
            attempt=row.attempt,
            dispatch=row.dispatch,
            ticket=row.ticket,
        )
        self.rig.master.inbox.put_notices([ReportItem(event)])

    def add(self, payload: bytes, slot: int | None = None) -> Entry:
        """Put an entry into a stream, the run's own by default."""
        return self.streams.add(self.slot if slot is None else slot, payload, worker=WORKER)

    def waiting_items(self) -> list[Item]:
        """Take out, and return, what the loop's next turn would handle."""
        loop = self.rig.master.loop
        loop._crew.intake.note_ends()
        loop._crew.rounds.step()
        return loop._gather()

    def put(self, items: Iterable[Item]) -> None:
        """Have the loop's next turn handle these items."""
        self.rig.master.inbox.put_reports(items)

    # --- looking -----------------------------------------------------------------------------

    @property
    def slot(self) -> int:
        """The slot of the run."""
        return slot_of(self.run)

    @property
    def state(self) -> WorkflowState:
        """The run's state, as the database has it."""
        return self.rig.state(self.run)

    @property
    def instance(self) -> WorkflowInstance:
        """The run in memory, loaded if need be, also one that has ended."""
        master = self.rig.master
        master.lanes.load([self.run], (), master.context(), [self.run])
        instance = master.lanes.get(self.run) or master.lanes.ended(self.run)
        assert instance is not None, "the run does not exist"
        return instance

    def rows(self) -> list[TaskInstance]:
        """Every attempt of the run, as the database has it, in order of submission."""
        columns = schema.task_instance.c
        statement = select(*ATTEMPT_COLUMNS).where(columns.workflow_instance_id == self.run)
        with reading(self.rig.engine) as connection:
            return [
                attempt_of(row) for row in connection.execute(statement.order_by(columns.sequence)).mappings()
            ]

    def attempt(self, task: str) -> TaskInstance:
        """The current attempt of a task, as the database has it."""
        return next(row for row in self.rows() if row.task == task and row.current)

    def verdict(self, entry: Entry) -> str | None:
        """The last verdict on an entry, if there is one."""
        return next((said for one, said in reversed(self.streams.acknowledged) if one.id == entry.id), None)

    def verdicts(self, entry: Entry) -> int:
        """How often an entry was acknowledged."""
        return sum(one.id == entry.id for one, _ in self.streams.acknowledged)

    def database(self) -> dict[str, list[dict[str, Any]]]:
        """Every row of every table that a commit writes."""
        with reading(self.rig.engine) as connection:
            has_rows = _which_have_rows(connection)
            return {
                name: [dict(row) for row in connection.execute(statement).mappings()]
                if has_rows[name]
                else []
                for name, statement in ALL_ROWS.items()
            }

    def outside(self) -> tuple[object, ...]:
        """Everything that anybody outside the master was told, or is about to be told."""
        return (
            list(self.streams.acknowledged),
            list(self.streams.dead),
            list(self.broker.published),
            dict(self.broker.claims),
            set(self.broker.stops),
            len(self.rig.master.messenger),
        )

    def picture(self, *without: str) -> dict[str, Any]:
        """What the database says of the run, comparable between worlds: without ids, secrets and exact times."""
        head = self.rig.instances.load([self.run])[self.run].head
        tables = self.database()
        hidden = {"id", "slot", "definition_id", "ticket", "workflow_instance_id", *without}
        return {
            "head": _plain(head, hidden),
            "attempts": [_plain(row, hidden) for row in self.rows()],
            "commands": [row["kind"] for row in tables["command"]],
            "failed": [row["kind"] for row in tables["error_command"]],
            "alerts": sorted(_fact(row["key"], self.run) for row in tables["outbox"]),
        }

    def assert_memory_equals_rows(self) -> None:
        """Memory is what loading the rows afresh would give (O7)."""
        instance = self.rig.master.lanes.get(self.run)
        if instance is None:
            return
        lanes = Lanes(self.rig.instances, lambda _instance: None)
        lanes.load([self.run], (), self.rig.master.context())
        fresh = lanes.get(self.run)
        assert fresh is not None
        assert instance.snapshot() == fresh.snapshot()


def _fact(key: str, run: int) -> str:
    """Return an alert's key without what differs between worlds; of a buried entry only that it was."""
    return "buried" if key.startswith("buried:") else key.replace(f":{run}:", ":run:")


def _turn_of(stumbling: StumblingStreams | StumblingBroker) -> str | None:
    """Return beside which end of this call the master dies, once its turn has come."""
    if stumbling.dies is None or stumbling.passes > 0:
        stumbling.passes -= 1
        return None
    when, stumbling.dies = stumbling.dies, None
    return when


def slot_of(run: int) -> int:
    """Return the slot of a run."""
    return run % SLOTS


def a_task(name: str, *needs: str, **fields: Any) -> TaskDefinition:
    """Return a task that a worker by hand runs."""
    return TaskDefinition(**{"name": name, "type": "noop", "needs": needs, **fields})


def empty(engine: Engine) -> None:
    """Delete every run and definition, and free all leases."""
    with writing(engine) as connection:
        has_rows = _which_have_rows(connection)
        for table in CLEANED:
            if has_rows[table.name]:
                connection.execute(delete(table))
        connection.execute(update(schema.slot_lease).values(owner=None, expires_at=None))


def _which_have_rows(connection: Connection) -> Mapping[str, bool]:
    """Return of each table whether it has rows, as the connection's transaction sees it."""
    return {name: bool(said) for name, said in connection.execute(WHICH_HAVE_ROWS).mappings().one().items()}


def _plain(value: Any, hidden: set[str]) -> Mapping[str, Any]:
    """Return a row's fields, times only as whether there is one."""
    fields = {
        one.name: getattr(value, one.name) for one in dataclasses.fields(value) if one.name not in hidden
    }
    return {name: isinstance(one, datetime) or one for name, one in fields.items()}
