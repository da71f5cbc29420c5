"""Owns the one timer of each attempt: when it goes off, and what happens then."""

from dataclasses import dataclass
from datetime import timedelta

from orchestrator.core.instance import TaskInstance
from orchestrator.core.logic import LOGIC_TYPES
from orchestrator.core.notice import AttemptDue, AttemptTimeout, about
from orchestrator.core.run import WorkflowInstance
from orchestrator.core.wants import Overdue, TimeoutAt, WakeAt
from orchestrator.master.due import Due
from orchestrator.master.post import hand_over_of
from orchestrator.master.timers import Timers


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long the master waits before it acts on silence, in seconds."""

    dispatch_timeout_s: float
    kill_s: float
    resend_s: float


class Alarms:
    """Runs in the loop's thread, as a part of the effects.

    Args:
        timers: Where the timers are set.
        patience: Time limits.
    """

    def __init__(self, timers: Timers[Due], patience: Patience) -> None:
        self._timers = timers
        self._patience = patience

    def set(
        self, instance: WorkflowInstance, attempt: TaskInstance, want: WakeAt | TimeoutAt | Overdue
    ) -> None:
        """Have an attempt woken, ended, or recalled at the time that its row asks for."""
        slot, task = instance.head.slot, instance.graph.tasks[attempt.task]
        key = (instance.head.id, attempt.task)
        match want:
            case WakeAt(at):
                due = Due(slot, key, about(attempt, AttemptDue))
            case TimeoutAt(at) if task.type in LOGIC_TYPES:
                due = Due(slot, key, about(attempt, AttemptTimeout))
            case TimeoutAt(since):
                at = since + timedelta(seconds=self._patience.kill_s + self._patience.resend_s)
                due = Due(slot, key, about(attempt, AttemptTimeout), accuses=True, counts_from=since)
            case Overdue(since):
                at = since + timedelta(seconds=self._patience.dispatch_timeout_s)
                group = task.worker_group or instance.head.worker_group
                due = Due(
                    slot, key, recall=hand_over_of(attempt), accuses=True, group=group, counts_from=since
                )
        self._timers.set(key, at, due)
