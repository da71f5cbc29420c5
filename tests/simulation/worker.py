"""Owns the simulated worker: the real runner, spool, reporter, re-sender, heartbeat and receiver in greenlets."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import redis

from orchestrator.broker.claims import Claims
from orchestrator.broker.inbox import WorkerInbox
from orchestrator.broker.keys import Keys
from orchestrator.broker.presence import Presence
from orchestrator.broker.sender import EventSender
from orchestrator.errors import BrokerUnavailable
from orchestrator.worker.bundles import Bundles
from orchestrator.worker.claiming import Claiming
from orchestrator.worker.enforcer import Enforcer
from orchestrator.worker.executors.port import Workplace
from orchestrator.worker.gate import Gate
from orchestrator.worker.heartbeat import Heartbeat, Pulse
from orchestrator.worker.interrupt import Interrupts
from orchestrator.worker.logs import AttemptLog
from orchestrator.worker.losses import Losses
from orchestrator.worker.notice_board import NoticeBoard
from orchestrator.worker.ports import Identity
from orchestrator.worker.predecessor import kill_leftovers
from orchestrator.worker.receiver import Receiver
from orchestrator.worker.reporter import Reporter
from orchestrator.worker.resender import Resender
from orchestrator.worker.runner import Runner, Tools
from orchestrator.worker.shelf import Shelf
from orchestrator.worker.spool import Spool
from orchestrator.worker.spool_file import SpoolFile, SpoolUnwritable
from tests.simulation.celery_broker import QUEUES, Deliveries, queue_key
from tests.simulation.database import SLOTS
from tests.simulation.plan import PlannedWorker
from tests.simulation.schedule import Process, Schedule, Signal
from tests.simulation.tasks import SimulatedTasks

HEARTBEAT_S = 3.0
RESEND_S = 10.0
LOST_S = 15.0
KILL_S = 5.0
LOOK_S = 0.5
LISTEN_S = 3.0
SpoolRows = dict[tuple[object, ...], list[Any]]
"""By a statement and its values."""

FIRST_PID = 10_000_000
"""Above every process id of a real machine: nothing real can be meant by one."""

LOGS = Path("logs")
"""Simulated tasks print nothing, so that nothing is ever written there: events name the same files each time."""


class FencedFile(SpoolFile):
    """The file of a spool, which a dead process can no longer touch.

    Args:
        path: The file.
        process: Who opens it.
        read: What was read since the last write, of all processes that have this file open: to read it again, as
            workers do all the time, costs a look at a real file.
        proving: It is read again all the same, to prove that the same is there.
    """

    def __init__(self, path: Path, process: Process, read: SpoolRows, *, proving: bool) -> None:
        self._process = process
        self._read = read
        self._proving = proving
        super().__init__(path)

    def run(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        """Carry out one statement, of the product's; return all rows at once."""
        self._process.check()
        if not statement.startswith("SELECT"):
            try:
                return super().run(statement, values)
            finally:
                self._read.clear()
        asked = (statement, *values)
        rows = self._read.get(asked)
        if rows is None or self._proving:
            now = super().run(statement, values)
            assert rows in (None, now), f"{statement}: the file has {now}, and nobody has written"
            rows = self._read[asked] = now
        return list(rows)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Write what is done within, all of it or nothing."""
        try:
            with super().transaction() as connection:
                self._read.clear()
                yield connection
        finally:
            self._read.clear()

    def _open(self) -> Any:
        self._process.check()
        return super()._open()


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What all workers share.

    Attributes:
        connect: Opens a connection to Redis for a process.
        arrival: Signalled when a list of that name got something.
        chance: Random numbers of the workers.
        directory: Where spools lie.
        proving: Spools are read even where nobody has written to them since, to prove that (`FencedFile`).
    """

    schedule: Schedule
    connect: Callable[[Process, str], redis.Redis]
    arrival: Callable[[bytes], Signal]
    tasks: SimulatedTasks
    chance: Callable[[], float]
    directory: Path
    keys: Keys
    proving: bool


class Child:
    """One process of a worker's pool."""

    def __init__(self, process: Process, pid: int) -> None:
        self.process = process
        self.pid = pid
        self.message: Mapping[str, Any] | None = None
        self.tag: str | None = None
        self.interrupt = Signal()


class SimulatedWorker:
    """One worker name; each `start` is a new incarnation.

    Args:
        plan: Name, capacity, groups.
        site: What all workers share.

    Attributes:
        skew_s: How wrong its wall clock is.
        pid: Of its main process, whichever incarnation; its children's lie above.
        read: What its processes have read of its spool since it was written to.
    """

    def __init__(self, plan: PlannedWorker, site: Site) -> None:
        self.plan = plan
        self.skew_s = 0.0
        self.main: Process | None = None
        self.children: list[Child] = []
        self.spool: Spool | None = None
        self._site = site
        self._incarnations = 0
        self.pid = self._pids = FIRST_PID + 1_000 * (sum(map(ord, plan.name)) % 997)
        self.read: SpoolRows = {}
        self._dead: list[Child] = []
        self._child_died = Signal()

    # --- life --------------------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        """Whether its main process lives."""
        return self.main is not None and self.main.alive

    @property
    def frozen(self) -> bool:
        """Whether it is stopped."""
        return self.main is not None and self.main.frozen

    def left_over(self) -> Iterator[str]:
        """Say what its spool still holds."""
        if not self.alive or self.spool is None:
            yield f"{self.plan.name} is dead"
        else:
            for what, number in (("reports", self.spool.count()), ("attempts", len(self.spool.attempts()))):
                if number:
                    yield f"{number} {what} in the spool of {self.plan.name}"

    def start(self) -> None:
        """Start the main process and its children; harmless when they live."""
        if self.alive:
            return
        self._incarnations += 1
        self.main = Process(self.plan.name)
        self._dead.clear()
        _Main(self, self.main, f"{self.plan.name}-{self._incarnations}", self._site).start()

    def kill(self) -> None:
        """Kill the main process; its children die with it, and Celery restores their messages later."""
        main, children = self.main, list(self.children)
        self.children.clear()
        if main is not None:
            self._site.schedule.kill(main)
        current = self._site.schedule.current
        for child in sorted(children, key=lambda one: current is not None and one.process is current.process):
            self._lose(child)  # the one that runs this last: it does not come back

    def freeze(self) -> None:
        """Stop everything of it, as SIGSTOP."""
        for process in self._processes():
            self._site.schedule.freeze(process)

    def thaw(self) -> None:
        """Let it go on."""
        for process in self._processes():
            self._site.schedule.thaw(process)

    def kill_child(self, child: Child) -> None:
        """Kill one process of the pool; the main process notices."""
        if child in self.children:
            self.children.remove(child)
            self._dead.append(child)
            self._site.schedule.notify(self._child_died)
        self._site.tasks.died(child.process)
        self._site.schedule.kill(child.process)

    def send(self, pid: int, number: signal.Signals) -> None:
        """Send a signal to one process of the pool."""
        for child in list(self.children):
            if child.pid == pid and number == signal.SIGKILL:
                self.kill_child(child)
            elif child.pid == pid:
                self._site.schedule.notify(child.interrupt)

    def runs(self, pid: int) -> bool:
        """Return whether that process of the pool lives."""
        return any(child.pid == pid for child in self.children)

    def dead_children(self) -> list[Child]:
        """Return and forget the children that died."""
        dead, self._dead = self._dead, []
        return dead

    def new_child(self, main: Process) -> Child:
        """Return a new process of the pool."""
        self._pids += 1
        child = Child(Process(f"{main.name}/{self._pids}"), self._pids)
        self.children.append(child)
        return child

    def child_died(self) -> Signal:
        """Return what is signalled when a child died."""
        return self._child_died

    def _lose(self, child: Child) -> None:
        self._site.tasks.died(child.process)
        self._site.schedule.kill(child.process)

    def _processes(self) -> list[Process]:
        return [one for one in (self.main, *(child.process for child in self.children)) if one is not None]


class _Main:
    """One incarnation."""

    def __init__(self, worker: SimulatedWorker, process: Process, incarnation: str, site: Site) -> None:
        self._worker = worker
        self._process = process
        self._said_all = False
        self._site = site
        self._schedule = site.schedule
        name = worker.plan.name
        self._identity = Identity(name=name, incarnation=incarnation, host="simulated")
        self._spool = worker.spool = self._open_spool(process)
        self._board = NoticeBoard.create(site.directory / f"{name}.board", incarnation)
        client = site.connect(process, name)
        self._enforcer = Enforcer(
            self._spool, incarnation, KILL_S, self._schedule.monotonic, signal_child=worker.send
        )
        self._resender = Resender(
            self._identity,
            self._spool,
            EventSender(client, site.keys),
            RESEND_S,
            self._schedule.monotonic,
            chance=site.chance,
            slots=SLOTS,
        )
        self._heartbeat = self._make_heartbeat(client)
        self._receiver = Receiver(WorkerInbox(client, site.keys, name), self._spool, self._enforcer, 0.001)
        self._losses = Losses(
            self._identity,
            self._spool,
            self._resender.deliver,
            lambda *attempt: "/".join(map(str, attempt)),
            runs=worker.runs,
            clock=self._wall,
            slots=SLOTS,
        )
        self._client = client
        self._queues = [queue_key(one) for one in (*worker.plan.groups, f"{name}.dq2")]

    def _report(self) -> None:
        """Take a step of the re-sender; the first that works has sent what the incarnation before left."""
        self._resender.step()
        if not self._said_all:
            self._said_all = True
            self._site.tasks.back(self._identity.name)

    def start(self) -> None:
        """Start the threads of the main process, and the children."""
        kill_leftovers(self._spool, self._identity.incarnation, pause=self._schedule.pause)
        inbox = self._site.arrival(self._site.keys.inbox(self._identity.name).encode())
        threads: list[tuple[str, Callable[[], object], Signal | None, float]] = [
            ("reports", self._report, None, LOOK_S),
            ("heartbeat", self._heartbeat.step, None, HEARTBEAT_S),
            ("inbox", self._receiver.step, inbox, LISTEN_S),
            ("enforcer", self._enforcer.step, None, LOOK_S),
            ("pool", self._watch_pool, self._worker.child_died(), 60.0),
        ]
        for name, step, awaited, interval_s in threads:
            self._schedule.start(
                self._process, f"{self._identity.name}/{name}", self._ticker(step, awaited, interval_s)
            )
        for _ in range(self._worker.plan.capacity):
            self._start_child()

    def _ticker(
        self, step: Callable[[], object], awaited: Signal | None, interval_s: float
    ) -> Callable[[], None]:
        def body() -> None:
            failures = 0
            while True:
                try:
                    step()
                    failures = 0
                except (BrokerUnavailable, SpoolUnwritable):
                    failures += 1
                if failures or awaited is None:
                    self._schedule.pause(max(interval_s, min(0.02 * 2**failures, 1.0) if failures else 0.0))
                else:
                    self._schedule.wait(awaited, interval_s)

        return body

    def _watch_pool(self) -> None:
        """Speak for children that died, as Celery's main process does, and replace them."""
        for child in self._worker.dead_children():
            message, tag = child.message, child.tag
            if message is not None and tag is not None and self._losses.report(message, "SIGKILL"):
                self._acknowledge(tag)
            self._start_child()

    def _acknowledge(self, tag: str) -> None:
        with suppress(BrokerUnavailable):  # it comes again, and its claim is refused
            Deliveries(self._client, "").acknowledge(tag)

    # --- children ----------------------------------------------------------------------------

    def _start_child(self) -> None:
        child = self._worker.new_child(self._process)
        self._schedule.start(child.process, child.process.name, lambda: self._serve(child))

    def _serve(self, child: Child) -> None:
        client = self._site.connect(child.process, child.process.name)
        deliveries = Deliveries(client, child.process.name)
        runner = self._runner(child, client)
        while True:
            try:
                delivery = deliveries.take(self._queues)
            except BrokerUnavailable:
                self._schedule.pause(0.5)
                continue
            if delivery is None:
                self._schedule.wait(self._site.arrival(QUEUES), LISTEN_S)
                continue
            child.tag, child.message = delivery
            runner.run(child.message)
            tag, child.tag, child.message = child.tag, None, None
            with suppress(BrokerUnavailable):  # it comes again, and its claim is refused
                deliveries.acknowledge(tag)

    def _runner(self, child: Child, client: redis.Redis) -> Runner:
        spool = self._open_spool(child.process)
        pause, monotonic = self._schedule.pause, self._schedule.monotonic
        nonces = (f"{child.pid}-{number}" for number in range(1 << 30))
        tools = Tools(
            spool=spool,
            claiming=Claiming(
                self._identity,
                spool,
                Claims(client, self._site.keys),
                RESEND_S,
                pause,
                monotonic=monotonic,
                new_nonce=lambda: next(nonces),
                slots=SLOTS,
            ),
            reporter=Reporter(
                spool, EventSender(client, self._site.keys), self._identity.name, pause, slots=SLOTS
            ),
            bundles=Bundles(LOGS, Shelf(LOGS, 0), LOGS),
            executors=self._site.tasks.executors(self._identity.name, child.process, child.interrupt, spool),
            gate=Gate(lambda: self._board.draining, 0.0, 1.0),
            workplace=self._workplace,
            logs=LOGS,
            pid=lambda: child.pid,
            clock=self._wall,
        )
        return Runner(self._identity, tools)

    def _workplace(self, log: AttemptLog) -> Workplace:
        return Workplace(
            scratch=self._site.directory,
            source_dir=None,
            environment={},
            log=log,
            capture=_no_capture,
            interrupts=Interrupts(lambda _order_id: False),
        )

    # --- parts -------------------------------------------------------------------------------

    def _make_heartbeat(self, client: redis.Redis) -> Heartbeat:
        plan = self._worker.plan
        pulse = Pulse(
            groups=lambda: plan.groups,
            capacity=lambda: plan.capacity,
            resent=lambda: self._resender.resent,
            lost_s=LOST_S,
        )
        redis_ports = (Presence(client, self._site.keys), Claims(client, self._site.keys))
        return Heartbeat(
            self._identity,
            pulse,
            self._spool,
            self._board,
            self._enforcer,
            redis_ports,
            monotonic=self._schedule.monotonic,
            pid=lambda: self._worker.pid,
        )

    def _open_spool(self, process: Process) -> Spool:
        path = self._site.directory / f"{self._identity.name}.db"
        incarnation, fenced = (
            self._identity.incarnation,
            partial(FencedFile, process=process, read=self._worker.read, proving=self._site.proving),
        )
        return Spool(path, incarnation, lambda: self._wall().timestamp(), fenced)

    def _wall(self) -> datetime:
        """Return what the clock of this worker's machine shows."""
        return self._schedule.wall(self._worker.skew_s)


def _no_capture(*_: Any) -> Any:
    raise AssertionError("simulated tasks print nothing")
