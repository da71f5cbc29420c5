"""Owns the desk: the tools in memory that the parts of the loop share."""

from dataclasses import dataclass

from orchestrator.master.clock import DatabaseClock
from orchestrator.master.due import Due
from orchestrator.master.holdings import Holdings
from orchestrator.master.inbox import Inbox
from orchestrator.master.messenger import Messenger
from orchestrator.master.pooled import Pooled
from orchestrator.master.ready import ReadyQueue
from orchestrator.master.timers import Timers


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The in-memory tools that effects are written to.

    Attributes:
        docket: What waits for a judgement, or (in the group `LOOKS`) for a look at other workflows' runs.
        pooled: What needs a slot of a pool and no worker has begun.
    """

    ready: ReadyQueue
    docket: ReadyQueue
    holdings: Holdings
    pooled: Pooled
    timers: Timers[Due]
    messenger: Messenger
    inbox: Inbox
    clock: DatabaseClock
