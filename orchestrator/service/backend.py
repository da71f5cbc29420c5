"""Owns the services' connections: records and broker, opened when they are first needed, closed together."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import structlog

from orchestrator.broker.connection import open_redis
from orchestrator.broker.deadletters import DeadLetters
from orchestrator.broker.keys import Keys
from orchestrator.broker.masters import Control, MasterBoard
from orchestrator.broker.presence import Presence
from orchestrator.broker.sender import wake
from orchestrator.broker.stream import EventStream
from orchestrator.config import Settings
from orchestrator.errors import BrokerUnavailable
from orchestrator.service.records import Records
from orchestrator.store.backfills import Backfills
from orchestrator.store.cache import Cache
from orchestrator.store.commands import Commands
from orchestrator.store.deletion import Deletion
from orchestrator.store.environments import Environments
from orchestrator.store.instances import Instances
from orchestrator.store.pools import Pools
from orchestrator.store.pruning import Pruning
from orchestrator.store.schedules import Schedules
from orchestrator.store.submissions import Submissions
from orchestrator.store.turns import Turns

log = structlog.get_logger(__name__)


class Backend(Records):
    """What the use cases stand on.

    Args:
        settings: Where database and Redis are.
        wait_for_schema: Called while the schema is not the right one; waits a little, and returns whether
            somebody is bringing it up to date, so that it is worth looking again.
    """

    def __init__(self, settings: Settings, wait_for_schema: Callable[[], bool] = lambda: False) -> None:
        super().__init__(settings, wait_for_schema)
        self.keys = Keys(settings.key_prefix)

    @cached_property
    def submissions(self) -> Submissions:
        """New runs."""
        return Submissions(self.engine)

    @cached_property
    def schedules(self) -> Schedules:
        """Stored schedules."""
        return Schedules(self.engine)

    @cached_property
    def backfills(self) -> Backfills:
        """Backfills."""
        return Backfills(self.engine)

    @cached_property
    def environments(self) -> Environments:
        """Named sets of variables."""
        return Environments(self.engine)

    @cached_property
    def pools(self) -> Pools:
        """Named numbers of slots."""
        return Pools(self.engine)

    @cached_property
    def turns(self) -> Turns:
        """Whose turn it is in serial workflows."""
        return Turns(self.engine)

    @cached_property
    def cache(self) -> Cache:
        """Kept outputs."""
        return Cache(self.engine)

    @cached_property
    def pruning(self) -> Pruning:
        """Deletion of old runs."""
        return Pruning(self.engine)

    @cached_property
    def deletion(self) -> Deletion:
        """Deletion of runs by name."""
        return Deletion(self.engine)

    @cached_property
    def commands(self) -> Commands:
        """Commands to runs."""
        return Commands(self.engine)

    @cached_property
    def instances(self) -> Instances:
        """Runs as a master sees them."""
        return Instances(self.engine)

    @cached_property
    def redis(self) -> Any:
        """The client of Redis.

        Raises:
            BrokerUnavailable: No Redis is named, and none runs in the home.
        """
        settings = self.settings
        if settings.redis_url is None:
            raise BrokerUnavailable(
                "no Redis: name one in ORCHESTRATOR_REDIS_URL, or start `orchestrator up`"
                f" (nothing runs in {settings.home})"
            )
        return open_redis(settings.redis_url, connect_timeout_s=settings.connect_timeout_seconds)

    @cached_property
    def presence(self) -> Presence:
        """Heartbeats."""
        return Presence(self.redis, self.keys)

    @cached_property
    def masters(self) -> MasterBoard:
        """What masters show of themselves."""
        return MasterBoard(self.redis, self.keys)

    @cached_property
    def master_control(self) -> Control:
        """Requests to masters."""
        return Control(self.redis, self.keys)

    @cached_property
    def streams(self) -> EventStream:
        """The event streams, to look at: this reads no entry."""
        return EventStream(self.redis, self.keys, consumer="service")

    @cached_property
    def dead_letters(self) -> DeadLetters:
        """The dead-letter stream."""
        return DeadLetters(self.redis, self.keys)

    def wake(self, slot: int) -> None:
        """Tell the slot's master that something waits; if Redis is away it finds out by itself, a little later."""
        if self.settings.redis_url is None:
            return
        try:
            wake(self.redis, self.keys, slot)
        except BrokerUnavailable as error:
            log.debug("wake.failed", slot=slot, error=str(error))

    def close(self) -> None:
        """Close what was opened."""
        if "redis" in vars(self):
            self.redis.close()
        super().close()
