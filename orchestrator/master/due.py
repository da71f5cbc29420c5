"""Owns what a timer of the master holds: whose it is, and what is to happen."""

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime

from orchestrator.core.notice import Notice
from orchestrator.master.post import HandOver
from orchestrator.master.ready import Key, Rank

LOOKS = "looks"
"""Group of the docket, and mark of the timers, of attempts that wait for other workflows' runs."""

QUEUED = "queued"
"""Mark of the timers of attempts that may wait so long for a worker and no longer."""

AT_ONCE = Rank(0, 0, 0.0, 0)


@dataclass(frozen=True, slots=True)
class Due:
    """What a timer holds.

    Attributes:
        notice: Goes to the loop.
        recall: Is to be recalled.
        mark: Which of an attempt's timers it is, beside its main one: `LOOKS`, `QUEUED`.
        group: Whose workers could have taken it.
        accuses: Somebody's silence is held against them: only when all that was said has been read.
        since: When it first became due; an accusation that had to wait is judged by that.
        counts_from: Since when an accusation's time runs; outages after that do not count.
    """

    slot: int
    key: Key
    notice: Notice | None = None
    recall: HandOver | None = None
    mark: str = ""
    accuses: bool = False
    since: datetime | None = None
    group: str = ""
    counts_from: datetime | None = None

    @property
    def timer(self) -> Hashable:
        """The key of its timer."""
        return (self.mark, *self.key) if self.mark else self.key
