"""Owns how the parts of a master fit together; the daemon, the tests and the simulation all build it here."""

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.authoring.cron import CronTimes
from orchestrator.core.transition import Context
from orchestrator.master.aftermath import Aftermath
from orchestrator.master.alarms import Patience
from orchestrator.master.alerts import Bulletin
from orchestrator.master.backfills import Backfiller
from orchestrator.master.cached import Cached
from orchestrator.master.clock import DatabaseClock
from orchestrator.master.concessions import Concessions
from orchestrator.master.control import Control
from orchestrator.master.crew import Crew
from orchestrator.master.desk import Desk
from orchestrator.master.dispatcher import Dispatcher
from orchestrator.master.doorbell import Doorbell
from orchestrator.master.effects import Effects
from orchestrator.master.gaps import Gaps
from orchestrator.master.holdings import Holdings
from orchestrator.master.inbox import Inbox
from orchestrator.master.ingredients import Identity, Limits, Ports, Timing, World
from orchestrator.master.inspection import Inspector
from orchestrator.master.intake import Intake
from orchestrator.master.judge import Judge
from orchestrator.master.lanes import Lanes
from orchestrator.master.lookout import Lookout
from orchestrator.master.loop import Loop
from orchestrator.master.membership import Membership
from orchestrator.master.messenger import Messenger
from orchestrator.master.nursery import Nursery
from orchestrator.master.outside import Outside
from orchestrator.master.overload import Overload
from orchestrator.master.parking import Parking
from orchestrator.master.pooled import Pooled
from orchestrator.master.pools import PoolSweeper
from orchestrator.master.reader import Reader
from orchestrator.master.ready import ReadyQueue
from orchestrator.master.reaper import Reaper
from orchestrator.master.rounds import Rounds
from orchestrator.master.schedules import Scheduler
from orchestrator.master.silence import Silence
from orchestrator.master.spreader import Spreader
from orchestrator.master.standings import Standings
from orchestrator.master.status import Status
from orchestrator.master.supplies import Supplies
from orchestrator.master.takeover import Takeover
from orchestrator.master.timers import Timers
from orchestrator.master.turns import Turnkeeper, Wakes
from orchestrator.master.whole_rows import WholeRows
from orchestrator.master.window import Window


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
        sweeper=PoolSweeper(
            ports.pools, identity.leases, ports.children.slots, ports.streams.wake, world.monotonic
        ),
        turnkeeper=Turnkeeper(ports.turns, identity.leases, ports.streams.wake, world.monotonic),
        context=loop.context,
    )
