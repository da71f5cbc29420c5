"""Owns the simulated master process: the real parts, each thread of the daemon a greenlet."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import redis

from orchestrator.broker.claims import Claims
from orchestrator.broker.deadletters import DeadLetters
from orchestrator.broker.generation import Generations, RecentGeneration
from orchestrator.broker.inbox import Stops
from orchestrator.broker.keys import Keys
from orchestrator.broker.masters import Control, MasterBoard
from orchestrator.broker.presence import Presence
from orchestrator.broker.stream import EventStream
from orchestrator.core.changes import Leases
from orchestrator.core.retry import backoff_s
from orchestrator.errors import LeaseLost, RetryEvent
from orchestrator.master.announcer import Announcer
from orchestrator.master.assembly import Master, assemble
from orchestrator.master.chores import Chore, chores
from orchestrator.master.deliveries import Deliveries
from orchestrator.master.inbox import LULL_S, PATIENCE_S
from orchestrator.master.ingredients import Identity, Limits, Ports, Timing, World
from orchestrator.master.ownership import Ownership
from orchestrator.master.post import Post
from orchestrator.master.speech import Speech
from orchestrator.store.cache import Cache
from orchestrator.store.children import Children
from orchestrator.store.commit import GroupCommit
from orchestrator.store.instances import Instances
from orchestrator.store.leases import SlotLeases
from orchestrator.store.session import Engine
from tests.simulation.celery_broker import SimulatedCourier
from tests.simulation.idle_looks import (
    IdleLooks,
    LookedAtBackfills,
    LookedAtCommands,
    LookedAtOutbox,
    LookedAtPools,
    LookedAtSchedules,
    LookedAtTurns,
)
from tests.simulation.onlookers import WatchedHistory
from tests.simulation.schedule import Process, Schedule, Signal

LEASE_S = 10.0
RENEWAL_S = 3.0
IDLE_S = 0.5
TIMING = Timing(sweep_s=4.0)
GATHERS = 0.5
"""In so many turns the loop waits for more; the inbox would not wait with what is pressing."""

UNASKED_S = 2.0
"""How often the reader and the messenger look although nobody told them that something is there."""

RARE_S = {"status": 10.0, "control": 5.0, "schedules": 2.0, "backfills": 4.0, "pools": 4.0}
"""What is done less often than in a real master, since nobody looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What every master of a simulation shares.

    Attributes:
        looks: What idle looks at the database have found.
        connect: Opens a connection to Redis for a process.
        news: Signalled when something came into a stream.
        chance: Random numbers of the masters.
        lag_s: Mean of the time that the loop loses after a turn, in seconds.
        looked: Called when a master has looked at other workflows' runs.
    """

    schedule: Schedule
    engine: Engine
    looks: IdleLooks
    connect: Callable[[Process, str], redis.Redis]
    news: Signal
    chance: random.Random
    keys: Keys
    lag_s: float
    looked: Callable[[], None]


def _nobody(_delivery: object) -> None:
    """Deliver to nobody: simulated workflows name no targets."""


class SimulatedMaster:
    """One master process: waits for the leases, takes over, serves until it dies or loses them.

    Args:
        name: Its name and incarnation.
        around: What it runs on.

    Attributes:
        parts: The assembled master of the present reign, for the oracle.
        reigns: How often it took over.
        in_turn: Whether its loop is in the middle of a turn.
        still_until_s: Its loop takes no turn before this simulated second.
    """

    def __init__(self, name: str, around: Surroundings) -> None:
        self.process = Process(name)
        self.name = name
        self.parts: Master | None = None
        self.reigns = 0
        self.in_turn = False
        self.still_until_s = 0.0
        self._around = around
        self._schedule = around.schedule
        self._ownership = Ownership(SlotLeases(around.engine), name)
        self._client = around.connect(self.process, name)
        self._pressing = Signal()
        self._post = Signal()
        self._reign: object | None = None
        self._lost: LeaseLost | None = None

    def start(self) -> None:
        """Start its main thread."""
        self._schedule.start(self.process, f"{self.name}/loop", self._live)

    def _live(self) -> None:
        while True:
            leases = self._acquire()
            try:
                self._serve(leases)
            except LeaseLost:
                self.parts = self._reign = self._lost = None
                self.in_turn = False

    def _acquire(self) -> Leases:
        while True:
            try:
                leases = self._ownership.acquire(LEASE_S)
            except RetryEvent:
                leases = None
            if leases is not None:
                return leases
            self._schedule.pause(RENEWAL_S)

    def _serve(self, leases: Leases) -> None:
        while True:
            try:
                now = GroupCommit(self._around.engine).database_now()
                break
            except RetryEvent:
                self._schedule.pause(0.5)
        parts = self._assemble(leases, now)
        self.parts = parts
        self.reigns += 1
        reign = self._reign = object()
        announcer = Announcer(LookedAtOutbox(self._around.looks), leases.epochs, parts.bulletin)
        awaited = {"messenger": self._post, "reader": self._around.news}
        deliveries = Deliveries(
            LookedAtOutbox(self._around.looks),
            leases.epochs,
            _nobody,
            self._schedule.monotonic,
            self._around.chance.random,
        )
        duties = chores(
            parts,
            Speech(announcer=announcer, deliveries=deliveries),
            lambda: self._renew(leases),
            RENEWAL_S,
            TIMING,
            turn_s=0.0,
        )
        for chore in duties:
            body = self._thread(chore, awaited.get(chore.name), lambda: self._reign is reign)
            self._schedule.start(self.process, f"{self.name}/{chore.name}", body)
        self._turns(parts)

    def _assemble(self, leases: Leases, now: datetime) -> Master:
        chance = self._around.chance
        return assemble(
            self._ports(),
            TIMING,
            World(
                monotonic=self._schedule.monotonic,
                database_now=now,
                chance=chance.random,
                new_ticket=self._new_word,
            ),
            Identity(name=self.name, incarnation=self.name, pid=1, leases=leases),
            Limits(memory=1.0),
        )

    def _turns(self, parts: Master) -> None:
        more = True
        while more:
            try:
                more = parts.takeover.step(parts.loop.context())
            except RetryEvent:
                self._schedule.pause(RENEWAL_S)
        while True:
            self._gather(parts)
            self.in_turn = True
            busy = parts.loop.step(0.0)
            self.in_turn = False
            if self._lost is not None:
                raise self._lost
            if len(parts.messenger):
                self._schedule.notify(self._post)
            if busy:
                self._schedule.pause(self._lag_s())
            else:
                self._schedule.wait(self._pressing, self._idle_s(parts))

    def _gather(self, parts: Master) -> None:
        """Wait a moment for what comes behind what is here, as the inbox does unless it is pressing."""
        if self.still_until_s > self._schedule.now_s:
            self._schedule.pause(self.still_until_s - self._schedule.now_s)
        if len(parts.inbox) and self._around.chance.random() < GATHERS:
            self._schedule.pause(LULL_S if parts.inbox.relaxed else PATIENCE_S)

    def _lag_s(self) -> float:
        return self._around.chance.expovariate(1.0) * self._around.lag_s

    def _idle_s(self, parts: Master) -> float:
        due = parts.desk.timers.next_at()
        if due is None:
            return IDLE_S
        wait = (due - parts.desk.clock.now()).total_seconds()
        return min(max(wait, 0.005), IDLE_S)

    def _thread(
        self,
        chore: Chore,
        awaited: Signal | None,
        reigns: Callable[[], bool],
    ) -> Callable[[], None]:
        pause_s = RARE_S.get(chore.name, chore.pause_s) or UNASKED_S

        def body() -> None:
            failures = 0
            while reigns():
                try:
                    did = chore.step()
                except RetryEvent:
                    self._schedule.pause(
                        backoff_s(failures, self._around.chance.random(), first=0.1, cap=2.0)
                    )
                    failures += 1
                    continue
                failures = 0
                if self.parts is not None and len(self.parts.inbox):
                    self._schedule.notify(self._pressing)
                if awaited is None:
                    self._schedule.pause(pause_s)
                elif did:
                    self._schedule.pause()
                else:
                    self._schedule.wait(awaited, pause_s)

        return body

    def _renew(self, leases: Leases) -> None:
        try:
            self._ownership.renew(leases, LEASE_S)
        except LeaseLost as error:
            self._lost = error
            self._schedule.notify(self._pressing)

    def _new_word(self) -> str:
        return f"{self._around.chance.getrandbits(64):x}"

    def _ports(self) -> Ports:
        around, client = self._around, self._client
        generations = Generations(client, around.keys, self._new_word)
        return Ports(
            runs=Instances(around.engine),
            history=WatchedHistory(around.engine, around.looked),
            cache=Cache(around.engine),
            children=Children(around.engine),
            committer=GroupCommit(around.engine),
            commands=LookedAtCommands(around.looks),
            streams=EventStream(client, around.keys, consumer=self.name),
            graveyard=DeadLetters(client, around.keys),
            post=Post(
                courier=SimulatedCourier(client),
                recaller=Claims(client, around.keys),
                stopper=Stops(client, around.keys),
                generation=RecentGeneration(generations, self._schedule.monotonic, 0.5),
            ),
            beats=Presence(client, around.keys),
            generations=generations,
            board=MasterBoard(client, around.keys),
            requests=Control(client, around.keys),
            schedules=LookedAtSchedules(around.looks),
            backfills=LookedAtBackfills(around.looks),
            pools=LookedAtPools(around.looks),
            turns=LookedAtTurns(around.looks),
        )
