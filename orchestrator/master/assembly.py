"""Owns how the parts of a master fit together; the daemon, the tests and the simulation all build it here."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from orchestrator.authoring.cron import CronTimes
from orchestrator.core.changes import Leases
from orchestrator.core.transition import Context
from orchestrator.master.aftermath import Aftermath
from orchestrator.master.alerts import Bulletin
from orchestrator.master.backfills import Backfiller, BackfillTable
from orchestrator.master.cached import Cached, CacheSource
from orchestrator.master.clock import DatabaseClock
from orchestrator.master.concessions import Concessions
from orchestrator.master.control import Control, RequestSource
from orchestrator.master.dispatcher import Dispatcher
from orchestrator.master.doorbell import Bell, Doorbell
from orchestrator.master.effects import Desk, Effects, Patience
from orchestrator.master.gaps import Gaps
from orchestrator.master.holdings import Holdings
from orchestrator.master.inbox import Inbox
from orchestrator.master.inspection import Inspector
from orchestrator.master.intake import CommandSource, Intake
from orchestrator.master.judge import Judge
from orchestrator.master.lanes import InstanceSource, Lanes
from orchestrator.master.lookout import Lookout, RunHistory
from orchestrator.master.loop import Crew, Loop
from orchestrator.master.membership import BeatSource, GenerationKeeper, Membership
from orchestrator.master.messenger import Messenger
from orchestrator.master.nursery import ChildSource, Nursery
from orchestrator.master.outside import Acknowledger, Committer, Graveyard, Outside
from orchestrator.master.overload import Overload
from orchestrator.master.parking import EntrySource, Parking
from orchestrator.master.pooled import Pooled
from orchestrator.master.pools import PoolSweeper, PoolTable
from orchestrator.master.post import Post
from orchestrator.master.reader import EventSource, Reader
from orchestrator.master.ready import ReadyQueue
from orchestrator.master.reaper import Reaper
from orchestrator.master.rounds import Rounds
from orchestrator.master.schedules import Scheduler, ScheduleTable
from orchestrator.master.silence import Silence
from orchestrator.master.spreader import Spreader
from orchestrator.master.standings import Standings, StandingSource
from orchestrator.master.status import Status, StatusBoard
from orchestrator.master.supplies import Supplies
from orchestrator.master.takeover import Takeover, UnfinishedSource
from orchestrator.master.timers import Timers
from orchestrator.master.turns import Turnkeeper, TurnTable, Wakes
from orchestrator.master.whole_rows import WholeRows
from orchestrator.master.window import Window


class RunSource(InstanceSource, UnfinishedSource, Protocol):
    """Where runs are found and loaded."""


class FamilySource(ChildSource, StandingSource, Protocol):
    """What the database knows about children."""


class Streams(EventSource, EntrySource, Acknowledger, Bell, Protocol):
    """The event streams."""

    def wake(self, slot: int) -> None:
        """Tell a slot's master that a command waits in the table."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Everything outside: databases, Redis, the broker."""

    runs: RunSource
    history: RunHistory
    cache: CacheSource
    children: FamilySource
    committer: Committer
    commands: CommandSource
    streams: Streams
    graveyard: Graveyard
    post: Post
    beats: BeatSource
    generations: GenerationKeeper
    board: StatusBoard
    requests: RequestSource
    schedules: ScheduleTable
    backfills: BackfillTable
    pools: PoolTable
    turns: TurnTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Time limits in seconds, and the inbox' limit in events."""

    heartbeat_s: float = 3.0
    lost_s: float = 15.0
    resend_s: float = 10.0
    dispatch_timeout_s: float = 60.0
    kill_s: float = 5.0
    sweep_s: float = 2.0
    inbox_limit: int = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Time and chance: real ones, or a simulation's.

    Attributes:
        monotonic: Seconds that never go back.
        database_now: The database's time when the master is assembled, aware UTC.
        chance: Random numbers in [0, 1).
        new_ticket: Random secrets.
    """

    monotonic: Callable[[], float]
    database_now: datetime
    chance: Callable[[], float]
    new_ticket: Callable[[], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who this master is."""

    name: str
    incarnation: str
    pid: int
    leases: Leases


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What protects a master.

    Attributes:
        cpu: Load per core above which nothing starts; 0: off.
        memory: Memory use from 0 to 1, the same.
        map_elements: So many elements a map may have.
        step_rows: So many rows one step of a run may write; the rest is for later steps.
    """

    cpu: float = 0.0
    memory: float = 0.95
    map_elements: int = 1000
    step_rows: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Master:
    """The assembled parts; each has a `step`."""

    loop: Loop
    reader: Reader
    messenger: Messenger
    membership: Membership
    status: Status
    takeover: Takeover
    control: Control
    inbox: Inbox
    lanes: Lanes
    desk: Desk
    bulletin: Bulletin
    scheduler: Scheduler
    backfiller: Backfiller
    sweeper: PoolSweeper
    turnkeeper: Turnkeeper
    context: Callable[[], Context]


def assemble(ports: Ports, timing: Timing, world: World, identity: Identity, limits: Limits) -> Master:
    """Return a master for the slots of `identity.leases`; nothing is started and nothing is read yet."""
    slots = tuple(sorted(identity.leases.epochs))
    inbox = Inbox(timing.inbox_limit)
    silence = Silence(world.monotonic, timing.resend_s)

    def read_again() -> None:
        reader.again()  # entries that had their verdict may be back, in this reader's name

    membership = Membership(
        ports.beats, ports.generations, silence, world.monotonic, timing.lost_s, on_renewal=read_again
    )
    desk = Desk(
        ready=ReadyQueue(),
        docket=ReadyQueue(),
        holdings=Holdings(),
        pooled=Pooled(),
        timers=Timers(),
        messenger=Messenger(ports.post, inbox, world.monotonic, timing.heartbeat_s + timing.resend_s),
        inbox=inbox,
        clock=DatabaseClock(world.monotonic, world.database_now),
    )
    patience = Patience(
        dispatch_timeout_s=timing.dispatch_timeout_s, kill_s=timing.kill_s, resend_s=timing.resend_s
    )
    effects = Effects(desk, patience)
    lanes = Lanes(ports.runs, effects.arm)
    overload = Overload(lambda: len(inbox) / timing.inbox_limit, limits.cpu, limits.memory)
    intake = Intake(
        desk,
        ports.commands,
        silence,
        overload,
        timing.sweep_s,
        is_served=lambda group: bool(membership.live_workers(group)),
    )
    window = Window(world.monotonic, membership.capacity)
    bulletin = Bulletin(ports.committer, identity.leases)
    parking = Parking(lanes, effects, ports.streams, inbox, bulletin, world.monotonic, world.chance)
    reaper = Reaper(
        desk,
        lanes,
        membership,
        silence,
        lost_s=timing.lost_s,
        settle_s=timing.heartbeat_s + timing.resend_s,
    )
    gaps = Gaps(desk, lanes, membership, bulletin, timing.lost_s)
    supplies = Supplies(lanes, parking.park)
    cached = Cached(ports.cache, supplies, inbox, parking.park)
    dispatcher = Dispatcher(desk, supplies, cached, effects, window, membership, parking.park)
    crew = Crew(
        desk=desk,
        lanes=lanes,
        inspector=Inspector(lanes, supplies),
        intake=intake,
        dispatcher=dispatcher,
        judge=Judge(
            desk,
            supplies,
            Nursery(ports.children, supplies, parking.park),
            Spreader(supplies, limits.map_elements),
            effects,
            parking.park,
        ),
        lookout=Lookout(desk, lanes, ports.history, parking.park),
        aftermath=Aftermath(lanes, effects, supplies, window),
        parking=parking,
        reaper=reaper,
        rounds=Rounds(
            reaper,
            gaps,
            Concessions(desk, lanes, effects, gaps),
            effects,
            lanes,
            world.monotonic,
            heartbeat_s=timing.heartbeat_s,
            resend_s=timing.resend_s,
        ),
        silence=silence,
        standings=Standings(ports.children),
        wakes=Wakes(ports.turns),
        doorbell=Doorbell(
            ports.streams, ports.children.slots, frozenset(slots), intake.look_soon, ports.turns.addressed
        ),
    )
    reader = Reader(ports.streams, inbox, silence, slots, world.monotonic, on_wake=intake.look_soon)
    outside = Outside(
        committer=WholeRows(ports.committer, ports.runs),
        acknowledger=ports.streams,
        graveyard=ports.graveyard,
        new_ticket=world.new_ticket,
        chance=world.chance,
        live_workers=membership.live_workers,
        read_again=reader.again,
        row_limit=limits.step_rows,
    )
    loop = Loop(outside, crew, identity.leases)
    return Master(
        loop=loop,
        reader=reader,
        messenger=desk.messenger,
        membership=membership,
        status=Status(
            ports.board,
            identity.name,
            identity.incarnation,
            identity.pid,
            identity.leases,
            desk,
            lanes,
            overload,
            world.monotonic,
        ),
        takeover=Takeover(ports.runs, lanes, slots, parking.park),
        control=Control(ports.requests, inbox),
        inbox=inbox,
        lanes=lanes,
        desk=desk,
        bulletin=bulletin,
        scheduler=Scheduler(
            ports.schedules, CronTimes(), identity.leases, ports.streams.wake, world.monotonic
        ),
        backfiller=Backfiller(ports.backfills, identity.leases, ports.streams.wake, world.monotonic),
        sweeper=PoolSweeper(ports.pools, identity.leases, ports.children.slots, ports.streams.wake),
        turnkeeper=Turnkeeper(ports.turns, identity.leases, ports.streams.wake, world.monotonic),
        context=loop.context,
    )
