"""Owns what a master is made of: its doors to the outside, its time limits, its world, who it is."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from orchestrator.core.changes import Leases
from orchestrator.master.backfills import BackfillTable
from orchestrator.master.cached import CacheSource
from orchestrator.master.control import RequestSource
from orchestrator.master.doorbell import Bell
from orchestrator.master.intake import CommandSource
from orchestrator.master.lanes import InstanceSource
from orchestrator.master.lookout import RunHistory
from orchestrator.master.membership import BeatSource, GenerationKeeper
from orchestrator.master.nursery import ChildSource
from orchestrator.master.outside import Acknowledger, Committer, Graveyard
from orchestrator.master.parking import EntrySource
from orchestrator.master.pools import PoolTable
from orchestrator.master.post import Post
from orchestrator.master.reader import EventSource
from orchestrator.master.schedules import ScheduleTable
from orchestrator.master.standings import StandingSource
from orchestrator.master.status import StatusBoard
from orchestrator.master.takeover import UnfinishedSource
from orchestrator.master.turns import TurnTable


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
    """Time limits in seconds."""

    heartbeat_s: float = 3.0
    lost_s: float = 15.0
    resend_s: float = 10.0
    dispatch_timeout_s: float = 60.0
    kill_s: float = 5.0
    sweep_s: float = 2.0


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
        inbox: So many events may wait for the loop; then the reader waits.
        map_elements: So many elements a map may have.
        step_rows: So many rows one step of a run may write; the rest is for later steps.
    """

    cpu: float = 0.0
    memory: float = 0.95
    inbox: int = 20_000
    map_elements: int = 1000
    step_rows: int = 1000
