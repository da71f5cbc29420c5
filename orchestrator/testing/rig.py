"""Owns the rig: the real core, loop and store in one thread, with simulated time, Redis and workers."""

import random
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from orchestrator.core.definition import WorkflowDefinition
from orchestrator.core.status import WORKFLOW_FINAL, WorkflowState
from orchestrator.errors import LeaseLost, RetryEvent
from orchestrator.master.assembly import Master, assemble
from orchestrator.master.ingredients import Identity, Limits, Ports, Timing, World
from orchestrator.master.lookout import RunHistory
from orchestrator.master.outside import Committer
from orchestrator.master.ownership import Ownership
from orchestrator.master.post import Post
from orchestrator.store import migrate
from orchestrator.store.backfills import Backfills
from orchestrator.store.cache import Cache
from orchestrator.store.children import Children
from orchestrator.store.commands import Commands
from orchestrator.store.commit import GroupCommit
from orchestrator.store.definitions import Definitions
from orchestrator.store.history import History
from orchestrator.store.instances import Instances
from orchestrator.store.leases import SlotLeases
from orchestrator.store.pools import Pools
from orchestrator.store.schedules import Schedules
from orchestrator.store.session import Engine, open_engine
from orchestrator.store.submissions import Submissions, SubmitRequest
from orchestrator.store.turns import Turns
from orchestrator.testing.clock import SimulatedClock
from orchestrator.testing.redis import MemoryBeats, MemoryBoard, MemoryBroker, MemoryStreams
from orchestrator.testing.worker import Behaviour, Ending, SimulatedWorker

LEASE_S = 10.0
TICK_S = 1.0
GIVE_UP_S = 400 * 24 * 3600.0


class NeverEnds(AssertionError):
    """A run did not end within the simulated time."""


def succeed(_order: object) -> Ending:
    """Behave like a task that succeeds without outputs."""
    return Ending()


class Rig:
    """A whole orchestrator without processes.

    Args:
        engine: A migrated database; default: SQLite in memory, migrated here, on the simulated clock.
        behaviour: What attempts do.
        seed: Of everything random.
        timing: The master's time limits.
        limits: When the master is overloaded.
        lease_s: How long a master's leases live, by the database's clock, which is not simulated on PostgreSQL.
        streams: The event streams.
        broker: Queues and claims.
        history: What dependent tasks are told of other workflows' runs; default: what the database has.
    """

    def __init__(  # noqa: PLR0913  a whole orchestrator
        self,
        engine: Engine | None = None,
        *,
        behaviour: Behaviour = succeed,
        seed: int = 0,
        timing: Timing | None = None,
        limits: Limits | None = None,
        lease_s: float = LEASE_S,
        streams: MemoryStreams | None = None,
        broker: MemoryBroker | None = None,
        history: RunHistory | None = None,
    ) -> None:
        self.clock = SimulatedClock()
        self.engine = engine or _in_memory(self.clock)
        self._random = random.Random(seed)  # noqa: S311  a simulation wants to be repeatable
        self._timing = timing or Timing()
        self._limits = limits or Limits(memory=1.0)
        self._lease_s = lease_s
        self.streams = streams or MemoryStreams()
        self.streams.now = self.clock.now
        self.broker = broker or MemoryBroker()
        self.beats = MemoryBeats(self.clock.now)
        self.board = MemoryBoard()
        self.commit = GroupCommit(self.engine)
        self.committer: Committer = self.commit
        self.instances = Instances(self.engine)
        self.history = history or History(self.engine)
        self.children = Children(self.engine)
        self.commands = Commands(self.engine)
        self.pools = Pools(self.engine)
        self._masters = 0
        self.worker = SimulatedWorker(
            "w1@rig", "w1-1", self.broker, self.streams, behaviour, slot_of=lambda number: number % 64
        )
        self.master = self.start_master()

    # --- what people do ----------------------------------------------------------------------

    def deploy(self, definition: WorkflowDefinition) -> int:
        """Deploy a definition; return the id of its version."""
        return Definitions(self.engine).deploy(definition, online=True).id

    def submit(
        self, definition: WorkflowDefinition, params: Mapping[str, Any] | None = None, **request: Any
    ) -> int:
        """Deploy a definition and submit a run of it; return the run's id."""
        wanted = SubmitRequest(definition_id=self.deploy(definition), params=params or {}, **request)
        submitted = Submissions(self.engine).submit(wanted)
        self.streams.wake(submitted.slot)
        return submitted.id

    def state(self, run: int) -> WorkflowState:
        """Return the state of a run as the database has it."""
        return self.instances.load([run])[run].head.state

    # --- time --------------------------------------------------------------------------------

    def start_master(self) -> Master:
        """Start a master (the one before is forgotten, as if it had been killed) and let it take over."""
        self._masters += 1
        name = f"master-{self._masters}"
        ownership = Ownership(SlotLeases(self.engine), name)
        leases = ownership.acquire(self._lease_s)
        while leases is None:
            self.clock.advance(TICK_S)
            leases = ownership.acquire(self._lease_s)
        self.master = assemble(
            self._ports(),
            self._timing,
            World(
                monotonic=self.clock.monotonic,
                database_now=self.clock.now(),
                chance=self._random.random,
                new_ticket=lambda: f"{self._random.getrandbits(64):x}",
            ),
            Identity(name=name, incarnation=name, pid=self._masters, leases=leases),
            self._limits,
        )
        while self.master.takeover.step(self.master.loop.context()):
            pass
        return self.master

    def turn(self) -> bool:
        """Let everybody take one step without time passing; return whether anything happened."""
        happened = False
        for step in (self._read, self.master.loop.step, self.master.messenger.step, self.worker.step):
            try:
                happened = bool(step()) or happened
            except LeaseLost:
                raise
            except RetryEvent:
                continue
        return happened

    def settle(self) -> None:
        """Take turns until nothing happens any more without time passing."""
        self._beat()
        quiet = 0
        while quiet < 2:  # noqa: PLR2004  the second quiet turn has seen what the first one left behind
            quiet = 0 if self.turn() else quiet + 1

    def run(self, *runs: int, most_s: float = GIVE_UP_S) -> None:
        """Let time pass until these runs are in a final state.

        Raises:
            NeverEnds: They are not, after `most_s` seconds of simulated time.
        """
        began = self.clock.monotonic()
        while True:
            self.settle()
            if all(self.state(run) in WORKFLOW_FINAL for run in runs):
                return
            if self.clock.monotonic() - began > most_s:
                states = {run: self.state(run).value for run in runs}
                raise NeverEnds(f"after {most_s:.0f} s of simulated time: {states}")
            self.pass_time()

    def pass_time(self) -> None:
        """Let time pass: to the next timer if that is all that is waited for, else one tick."""
        due = self.master.desk.timers.next_at()
        now = self.clock.now()
        far = due is not None and due > now and not self.master.desk.holdings.all_in_broker()
        self.clock.advance_to(due if far and due is not None else now)
        self.clock.advance(0.001 if far else TICK_S)

    # --- inside ------------------------------------------------------------------------------

    def _read(self) -> int:
        return self.master.reader.step(block_ms=0)

    def _beat(self) -> None:
        for group in self.master.desk.ready.groups():
            self.worker.serve(group)
        self.worker.beat(self.beats)
        self.master.membership.step()

    def _ports(self) -> Ports:
        return Ports(
            runs=self.instances,
            history=self.history,
            cache=Cache(self.engine),
            children=self.children,
            committer=_Through(self),
            commands=self.commands,
            streams=self.streams,
            graveyard=self.streams,
            post=Post(courier=self.broker, recaller=self.broker, stopper=self.broker, generation=self.broker),
            beats=self.beats,
            generations=self.broker,
            board=self.board,
            requests=self.board,
            schedules=Schedules(self.engine),
            backfills=Backfills(self.engine),
            pools=self.pools,
            turns=Turns(self.engine),
        )


class _Through:
    """Hands each commit to what the rig has at that moment, and tells simulated time."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig

    def commit(self, changes: Any, leases: Any) -> datetime:
        """Commit through the rig's committer; what the master learns is the rig's own time."""
        self._rig.committer.commit(changes, leases)
        return self._rig.clock.now()


def _in_memory(clock: SimulatedClock) -> Engine:
    engine = open_engine("sqlite://", "master", sqlite_clock=clock.now)
    migrate.upgrade(engine)
    return engine
