"""Owns how the parts of a master fit together; the daemon, the tests and the simulation all build it here."""

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.authoring.cron import CronTimes
from orchestrator.core.transition import Context
from orchestrator.master.aftermath import Aftermath
from orchestrator.master.alerts import Bulletin
from orchestrator.master.backfills import Backfiller
from orchestrator.master.cached import Cached
from orchestrator.master.concessions import Concessions
from orchestrator.master.control import Control
from orchestrator.master.crew import Crew
from orchestrator.master.desk import Desk
from orchestrator.master.dispatcher import Dispatcher
from orchestrator.master.doorbell import Doorbell
from orchestrator.master.gaps import Gaps
from orchestrator.master.inbox import Inbox
from orchestrator.master.ingredients import Identity, Limits, Ports, Timing, World
from orchestrator.master.inspection import Inspector
from orchestrator.master.judge import Judge
from orchestrator.master.lanes import Lanes
from orchestrator.master.lookout import Lookout
from orchestrator.master.loop import Loop
from orchestrator.master.membership import Membership
from orchestrator.master.messenger import Messenger
from orchestrator.master.nursery import Nursery
from orchestrator.master.outside import Outside
from orchestrator.master.parts import Parts
from orchestrator.master.pools import PoolSweeper
from orchestrator.master.reader import Reader
from orchestrator.master.rounds import Rounds
from orchestrator.master.schedules import Scheduler
from orchestrator.master.spreader import Spreader
from orchestrator.master.standings import Standings
from orchestrator.master.status import Status
from orchestrator.master.takeover import Takeover
from orchestrator.master.turns import Turnkeeper, Wakes
from orchestrator.master.whole_rows import WholeRows


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
    parts = Parts(ports, timing, world, identity, limits)
    leases, wake, monotonic = identity.leases, ports.streams.wake, world.monotonic
    loop = Loop(_outside(parts), _crew(parts), leases)
    return Master(
        loop=loop,
        reader=parts.reader,
        messenger=parts.desk.messenger,
        membership=parts.membership,
        status=_status(parts),
        takeover=Takeover(ports.runs, parts.lanes, parts.slots, parts.parking.park),
        control=Control(ports.requests, parts.inbox),
        inbox=parts.inbox,
        lanes=parts.lanes,
        desk=parts.desk,
        bulletin=parts.bulletin,
        scheduler=Scheduler(ports.schedules, CronTimes(), leases, wake, monotonic),
        backfiller=Backfiller(ports.backfills, leases, wake, monotonic),
        sweeper=PoolSweeper(ports.pools, leases, wake, monotonic),
        turnkeeper=Turnkeeper(ports.turns, leases, wake, monotonic),
        context=loop.context,
    )


def _outside(parts: Parts) -> Outside:
    return Outside(
        committer=WholeRows(parts.ports.committer, parts.ports.runs),
        acknowledger=parts.ports.streams,
        graveyard=parts.ports.graveyard,
        new_ticket=parts.world.new_ticket,
        chance=parts.world.chance,
        live_workers=parts.membership.live_workers,
        read_again=parts.reader.again,
        row_limit=parts.limits.step_rows,
    )


def _status(parts: Parts) -> Status:
    return Status(
        parts.ports.board,
        parts.identity.name,
        parts.identity.incarnation,
        parts.identity.pid,
        parts.identity.leases,
        parts.desk,
        parts.lanes,
        parts.overload,
        parts.world.monotonic,
    )


def _crew(parts: Parts) -> Crew:
    return Crew(
        desk=parts.desk,
        lanes=parts.lanes,
        inspector=Inspector(parts.lanes, parts.supplies),
        intake=parts.intake,
        dispatcher=_dispatcher(parts),
        judge=_judge(parts),
        lookout=Lookout(parts.desk, parts.lanes, parts.ports.history, parts.parking.park),
        aftermath=Aftermath(parts.lanes, parts.effects, parts.supplies, parts.window),
        parking=parts.parking,
        reaper=parts.reaper,
        rounds=_rounds(parts),
        silence=parts.silence,
        standings=Standings(parts.ports.children),
        wakes=Wakes(parts.ports.turns),
        doorbell=_doorbell(parts),
    )


def _dispatcher(parts: Parts) -> Dispatcher:
    park = parts.parking.park
    return Dispatcher(
        parts.desk,
        parts.supplies,
        Cached(parts.ports.cache, parts.supplies, parts.inbox, park),
        parts.effects,
        parts.window,
        parts.membership,
        park,
    )


def _judge(parts: Parts) -> Judge:
    park = parts.parking.park
    return Judge(
        parts.desk,
        parts.supplies,
        Nursery(parts.ports.children, parts.supplies, park),
        Spreader(parts.supplies, parts.limits.map_elements),
        parts.effects,
        park,
    )


def _rounds(parts: Parts) -> Rounds:
    gaps = Gaps(parts.desk, parts.lanes, parts.membership, parts.bulletin, parts.timing.lost_s)
    return Rounds(
        parts.reaper,
        gaps,
        Concessions(parts.desk, parts.lanes, parts.effects, gaps),
        parts.effects,
        parts.lanes,
        parts.world.monotonic,
        heartbeat_s=parts.timing.heartbeat_s,
        resend_s=parts.timing.resend_s,
    )


def _doorbell(parts: Parts) -> Doorbell:
    return Doorbell(
        parts.ports.streams,
        parts.ports.children.slots,
        frozenset(parts.slots),
        parts.intake.look_soon,
        parts.ports.turns.addressed,
    )
