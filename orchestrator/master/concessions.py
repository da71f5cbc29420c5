"""Owns giving way: attempts whose worker group nobody serves leave the slots of their pools to others."""

from collections.abc import Iterable, Iterator

from orchestrator.core.instance import TaskInstance
from orchestrator.core.notice import Served, Unserved, about
from orchestrator.core.run import WorkflowInstance
from orchestrator.master.desk import Desk
from orchestrator.master.effects import Effects
from orchestrator.master.gaps import Gaps
from orchestrator.master.items import NoticeItem
from orchestrator.master.lanes import Lanes
from orchestrator.master.pooled import Standing
from orchestrator.master.ready import Key

MOST_TOLD = 5000
"""What so many attempts do about it fits into one transaction."""


class Concessions:
    """Looks now and then, in the loop's thread, when the gaps have been looked for.

    Each attempt is told once, until it stands in another way, however far the loop is behind. A recall that was
    not answered is asked for again at the next look.

    Args:
        desk: The attempts of pools; inbox.
        lanes: The runs in memory.
        effects: Takes hand-overs back.
        gaps: Knows which groups nobody serves.
        most: So many attempts are told at a look, over all groups.
    """

    def __init__(self, desk: Desk, lanes: Lanes, effects: Effects, gaps: Gaps, most: int = MOST_TOLD) -> None:
        self._desk = desk
        self._lanes = lanes
        self._effects = effects
        self._gaps = gaps
        self._most = most

    def step(self) -> None:
        """Look once."""
        pooled = self._desk.pooled
        groups = pooled.groups()
        most = self._most // max(len(groups), 1) or 1  # a long line of one group holds no other one up
        for group in groups:
            if self._gaps.is_served(group):
                self._tell(pooled.tell(group, Standing.GIVES_WAY, most), Served)
            elif self._gaps.has_lasted(group):
                self._tell(pooled.tell(group, Standing.IN_LINE, most), Unserved)
                for instance, attempt in self._attempts(pooled.of(group, Standing.HAS_SLOT)):
                    self._effects.take_back(instance, attempt)

    def _tell(self, keys: Iterable[Key], kind: type[Served] | type[Unserved]) -> None:
        found = [NoticeItem(about(attempt, kind)) for _, attempt in self._attempts(keys)]
        if found:
            self._desk.inbox.put_notices(found)

    def _attempts(self, keys: Iterable[Key]) -> Iterator[tuple[WorkflowInstance, TaskInstance]]:
        for number, task in keys:
            instance = self._lanes.get(number)
            attempt = instance.attempts.get(task) if instance is not None else None
            if instance is not None and attempt is not None:
                yield instance, attempt
