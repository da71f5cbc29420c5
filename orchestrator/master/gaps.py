"""Owns noticing the worker groups that have work and nobody who does it."""

from collections.abc import Iterator

import structlog

from orchestrator.core.instance import TaskInstance
from orchestrator.core.status import TaskState
from orchestrator.master import alerts
from orchestrator.master.alerts import Bulletin
from orchestrator.master.desk import Desk
from orchestrator.master.lanes import Lanes
from orchestrator.master.membership import Membership

log = structlog.get_logger(__name__)

Waiting = tuple[TaskInstance, int]
"""An attempt and its run's slot."""


class Gaps:
    """Looks now and then, in the loop's thread; a gap is told once, when it has lasted.

    Args:
        desk: Ready queue, holdings, clock.
        lanes: The runs in memory.
        membership: Who serves what.
        bulletin: Where alerts go.
        patience_s: How long a group may be without workers, in seconds: they start, and are restarted.
    """

    def __init__(
        self,
        desk: Desk,
        lanes: Lanes,
        membership: Membership,
        bulletin: Bulletin,
        patience_s: float,
    ) -> None:
        self._desk = desk
        self._lanes = lanes
        self._membership = membership
        self._bulletin = bulletin
        self._patience_s = patience_s
        self._since: dict[str, float] = {}
        self._told: set[str] = set()

    def step(self) -> None:
        """Look once."""
        if self._membership.snapshot.at == float("-inf"):
            return  # nobody has looked who lives
        now = self._desk.clock.monotonic()
        open_now = {group for group in self._groups() if not self.is_served(group)}
        self._since = {group: self._since.get(group, now) for group in open_now}
        self._told &= open_now
        for group in open_now - self._told:
            if self.has_lasted(group):
                self._tell(group)

    def is_served(self, group: str) -> bool:
        """Return whether a living worker serves a group."""
        return bool(self._membership.live_workers(group))

    def has_lasted(self, group: str) -> bool:
        """Return whether a group with work has had no workers for longer than that is normal."""
        since = self._since.get(group)
        return since is not None and self._desk.clock.monotonic() - since >= self._patience_s

    def _groups(self) -> set[str]:
        desk = self._desk
        return {*desk.ready.waiting(), *desk.holdings.groups(), *desk.pooled.groups()}

    def _tell(self, group: str) -> None:
        waiting = list(self._waiting(group))
        if not waiting:
            return
        self._told.add(group)
        oldest, slot = min(waiting, key=lambda one: (one[0].key[0], one[0].sequence))
        log.warning("group.unserved", group=group, waiting=len(waiting))
        self._bulletin.add(alerts.no_worker(group, slot, oldest, len(waiting)))

    def _waiting(self, group: str) -> Iterator[Waiting]:
        for instance in self._lanes.all():
            for task in instance.in_state(TaskState.SUBMITTED, TaskState.DISPATCHED):
                if (instance.graph.tasks[task].worker_group or instance.head.worker_group) == group:
                    yield instance.attempts[task], instance.head.slot
