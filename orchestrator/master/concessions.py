"""Owns giving way: attempts whose worker group nobody serves leave the slots of their pools to others."""

from collections.abc import Iterator

from orchestrator.core.instance import TaskInstance
from orchestrator.core.notice import Served, Unserved, about
from orchestrator.core.run import WorkflowInstance
from orchestrator.master.desk import Desk
from orchestrator.master.effects import Effects
from orchestrator.master.gaps import Gaps
from orchestrator.master.items import NoticeItem
from orchestrator.master.lanes import Lanes
from orchestrator.master.pooled import Standing


class Concessions:
    """Looks now and then, in the loop's thread, when the gaps have been looked for.

    Nothing is noted here: who did not get an answer is asked again at the next look.

    Args:
        desk: The attempts of pools; inbox.
        lanes: The runs in memory.
        effects: Takes hand-overs back.
        gaps: Knows which groups nobody serves.
    """

    def __init__(self, desk: Desk, lanes: Lanes, effects: Effects, gaps: Gaps) -> None:
        self._desk = desk
        self._lanes = lanes
        self._effects = effects
        self._gaps = gaps

    def step(self) -> None:
        """Look once."""
        for group in self._desk.pooled.groups():
            if self._gaps.is_served(group):
                self._tell(group, Standing.GIVES_WAY, Served)
            elif self._gaps.has_lasted(group):
                self._tell(group, Standing.IN_LINE, Unserved)
                for instance, attempt in self._attempts(group, Standing.HAS_SLOT):
                    self._effects.take_back(instance, attempt)

    def _tell(self, group: str, standing: Standing, kind: type[Served] | type[Unserved]) -> None:
        found = [NoticeItem(about(attempt, kind)) for _, attempt in self._attempts(group, standing)]
        if found:
            self._desk.inbox.put_notices(found)

    def _attempts(self, group: str, standing: Standing) -> Iterator[tuple[WorkflowInstance, TaskInstance]]:
        for number, task in self._desk.pooled.of(group, standing):
            instance = self._lanes.get(number)
            attempt = instance.attempts.get(task) if instance is not None else None
            if instance is not None and attempt is not None:
                yield instance, attempt
