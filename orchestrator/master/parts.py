"""Owns the parts of a master that several others need: each is made once, when it is first asked for."""

from functools import cached_property

from orchestrator.master.alarms import Patience
from orchestrator.master.alerts import Bulletin
from orchestrator.master.clock import DatabaseClock
from orchestrator.master.desk import Desk
from orchestrator.master.effects import Effects
from orchestrator.master.holdings import Holdings
from orchestrator.master.inbox import Inbox
from orchestrator.master.ingredients import Identity, Limits, Ports, Timing, World
from orchestrator.master.intake import Intake
from orchestrator.master.lanes import Lanes
from orchestrator.master.membership import Membership
from orchestrator.master.messenger import Messenger
from orchestrator.master.overload import Overload
from orchestrator.master.parking import Parking
from orchestrator.master.pooled import Pooled
from orchestrator.master.reader import Reader
from orchestrator.master.ready import ReadyQueue
from orchestrator.master.reaper import Reaper
from orchestrator.master.silence import Silence
from orchestrator.master.supplies import Supplies
from orchestrator.master.timers import Timers
from orchestrator.master.window import Window


class Parts:
    """What the parts of one master share.

    Args:
        ports: Everything outside.
        timing: Time limits.
        world: Time and chance.
        identity: Who the master is.
        limits: What protects it.
    """

    def __init__(
        self, ports: Ports, timing: Timing, world: World, identity: Identity, limits: Limits
    ) -> None:
        self.ports = ports
        self.timing = timing
        self.world = world
        self.identity = identity
        self.limits = limits
        self.slots = tuple(sorted(identity.leases.epochs))

    @cached_property
    def inbox(self) -> Inbox:
        """What waits for the loop."""
        return Inbox(self.limits.inbox)

    @cached_property
    def silence(self) -> Silence:
        """Since when everybody could be heard."""
        return Silence(self.world.monotonic, self.timing.resend_s)

    @cached_property
    def membership(self) -> Membership:
        """Who lives."""
        return Membership(
            self.ports.beats,
            self.ports.generations,
            self.silence,
            self.world.monotonic,
            self.timing.lost_s,
            on_renewal=self._read_again,
        )

    @cached_property
    def reader(self) -> Reader:
        """What reads the streams."""
        return Reader(
            self.ports.streams,
            self.inbox,
            self.silence,
            self.slots,
            self.world.monotonic,
            on_wake=self.intake.look_soon,
        )

    @cached_property
    def desk(self) -> Desk:
        """The tools in memory."""
        timing, monotonic = self.timing, self.world.monotonic
        patience_s = timing.heartbeat_s + timing.resend_s
        return Desk(
            ready=ReadyQueue(),
            docket=ReadyQueue(),
            holdings=Holdings(),
            pooled=Pooled(),
            timers=Timers(),
            messenger=Messenger(self.ports.post, self.inbox, monotonic, patience_s),
            inbox=self.inbox,
            clock=DatabaseClock(monotonic, self.world.database_now),
        )

    @cached_property
    def effects(self) -> Effects:
        """What does what rows ask for."""
        timing = self.timing
        patience = Patience(
            dispatch_timeout_s=timing.dispatch_timeout_s, kill_s=timing.kill_s, resend_s=timing.resend_s
        )
        return Effects(self.desk, patience)

    @cached_property
    def lanes(self) -> Lanes:
        """The runs in memory."""
        return Lanes(self.ports.runs, self.effects.arm)

    @cached_property
    def overload(self) -> Overload:
        """Whether new runs have to wait."""
        limit = self.limits.inbox
        return Overload(lambda: len(self.inbox) / limit, self.limits.cpu, self.limits.memory)

    @cached_property
    def bulletin(self) -> Bulletin:
        """Alerts of the master's own."""
        return Bulletin(self.ports.committer, self.identity.leases)

    @cached_property
    def parking(self) -> Parking:
        """Runs that fail again and again."""
        return Parking(
            self.lanes,
            self.effects,
            self.ports.streams,
            self.inbox,
            self.bulletin,
            self.world.monotonic,
            self.world.chance,
        )

    @cached_property
    def supplies(self) -> Supplies:
        """What inputs are made of."""
        return Supplies(self.lanes, self.parking.park)

    @cached_property
    def intake(self) -> Intake:
        """What is taken in one turn."""
        return Intake(
            self.desk,
            self.ports.commands,
            self.silence,
            self.overload,
            self.timing.sweep_s,
            is_served=lambda group: bool(self.membership.live_workers(group)),
        )

    @cached_property
    def window(self) -> Window:
        """How much the broker may hold."""
        return Window(self.world.monotonic, self.membership.capacity)

    @cached_property
    def reaper(self) -> Reaper:
        """Who judges losses."""
        settle_s = self.timing.heartbeat_s + self.timing.resend_s
        return Reaper(
            self.desk,
            self.lanes,
            self.membership,
            self.silence,
            lost_s=self.timing.lost_s,
            settle_s=settle_s,
        )

    def _read_again(self) -> None:
        """Read what had its verdict already: it may be back, in this reader's name."""
        self.reader.again()
