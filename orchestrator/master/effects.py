"""Owns the last step of a turn: doing what the committed rows ask for. Nothing here raises into the loop."""

from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

from orchestrator.core.instance import TaskInstance
from orchestrator.core.notice import AttemptNotice, Continue, Notice, RecallWon, RunTimeout, Withdrawn, about
from orchestrator.core.run import WorkflowInstance
from orchestrator.core.status import TASK_ACTIVE, TaskState, WorkflowState
from orchestrator.core.wants import (
    Dispatch,
    Judge,
    Kill,
    Look,
    Overdue,
    Recall,
    TimeoutAt,
    WakeAt,
    Want,
    Withdraw,
    wants,
)
from orchestrator.master.alarms import Alarms, Patience
from orchestrator.master.desk import Desk
from orchestrator.master.due import Due
from orchestrator.master.holdings import Token
from orchestrator.master.items import NoticeItem
from orchestrator.master.post import hand_over_of
from orchestrator.master.ready import Key, Rank
from orchestrator.master.vigils import Vigils


class Effects:
    """Turns rows into dispatches, recalls, kills and timers.

    Args:
        desk: Where they go.
        patience: Time limits.
    """

    def __init__(self, desk: Desk, patience: Patience) -> None:
        self._desk = desk
        self._alarms = Alarms(desk.timers, patience)
        self._pressing: dict[Key, Recall | Kill] = {}
        self._inherited: set[Key] = set()
        self._taken_back: dict[Key, Token] = {}
        self._vigils = Vigils(desk.timers, desk.docket)

    def arm(self, instance: WorkflowInstance) -> None:
        """Do what every row of a run asks for: after loading it, or when the run's own state changed."""
        for task in instance.in_state(*TASK_ACTIVE):
            attempt = instance.attempts[task]
            if attempt.state is TaskState.SUBMITTED:
                self._inherited.add((instance.head.id, task))
            self.enact(instance, attempt)
        self.look(instance)

    def press(self, instance: WorkflowInstance) -> None:
        """Look at every active row again: the run's state changed."""
        for task in instance.in_state(*TASK_ACTIVE):
            self.enact(instance, instance.attempts[task])

    def look(self, instance: WorkflowInstance) -> None:
        """Ask for the next step of an unsettled run, and arm the run's own timeout."""
        head = instance.head
        if instance.is_unsettled:
            self._desk.inbox.put_notices([NoticeItem(Continue(workflow_instance_id=head.id))])
        if head.timeout_at is not None and not head.timed_out and head.state is WorkflowState.RUNNING:
            notice = RunTimeout(workflow_instance_id=head.id)
            self._desk.timers.set((head.id, ""), head.timeout_at, Due(head.slot, (head.id, ""), notice))

    def enact(self, instance: WorkflowInstance, attempt: TaskInstance) -> None:
        """Do what one row asks for."""
        head = instance.head
        key = (head.id, attempt.task)
        task = instance.graph.tasks[attempt.task]
        group = task.worker_group or head.worker_group
        self._desk.holdings.note(attempt, group)
        self._desk.pooled.note(head, task, attempt)
        self._desk.timers.cancel(key)
        self._pressing.pop(key, None)
        if self._taken_back.get(key) != attempt.token:
            self._taken_back.pop(key, None)
        self._vigils.note(head, task, attempt)
        want = wants(head, task, attempt)
        withdrawn = self._withdraw(key, want, attempt)
        match want:
            case None:
                pass
            case WakeAt() | TimeoutAt() | Overdue():
                self._alarms.set(instance, attempt, want)
            case Dispatch():
                self._line_up(instance, attempt, group)
            case Judge():
                self._desk.docket.push(key, "", rank_of(instance, attempt))
            case Look():
                self._vigils.watch(key, attempt)
            case Withdraw():
                self._tell(about(attempt, Withdrawn))
            case Recall():
                self._recall(instance, attempt, withdrawn=withdrawn)
            case Kill():
                self._pressing[key] = want
                self._desk.messenger.kill(hand_over_of(attempt))
            case _:
                assert_never(want)

    def _withdraw(self, key: Key, want: Want | None, attempt: TaskInstance) -> bool:
        """Take a row out of every line that it no longer belongs into; return whether it waited to be ready."""
        if not isinstance(want, Look):
            self._vigils.unwatch(key)
        if not isinstance(want, Judge | Look):
            self._desk.docket.withdraw(key)
        keep = attempt.token if isinstance(want, Dispatch) else None
        self._desk.messenger.withdraw(key, keep=keep)
        return keep is None and self._desk.ready.withdraw(key)

    def take_back(self, instance: WorkflowInstance, attempt: TaskInstance) -> None:
        """Take back a hand-over that nobody can begin, because nobody serves its worker group."""
        withdrawn = self._withdraw((instance.head.id, attempt.task), Recall(), attempt)
        self._recall(instance, attempt, withdrawn=withdrawn, unserved=True)

    def disown(self, row: TaskInstance) -> None:
        """Have an attempt ended, wherever it may still run, that was ended without its owner's report."""
        if row.state in _ENDED and row.incarnation is not None and not row.reported:
            self._desk.messenger.kill(hand_over_of(row))

    def reconsider(self, instance: WorkflowInstance, notice: Notice) -> None:
        """Do what the row asks for that a void notice spoke of: it may have come before its time."""
        if isinstance(notice, AttemptNotice):
            attempt = instance.attempts.get(notice.task)
            if attempt is not None:
                self.enact(instance, attempt)
        elif isinstance(notice, RunTimeout):
            self.look(instance)

    def is_inherited(self, key: Key) -> bool:
        """Return whether a master of before, or this one before a reload, may have passed `key` on."""
        return key in self._inherited

    def handed(self, key: Key) -> None:
        """Note that the dispatcher has passed `key` on."""
        self._inherited.discard(key)

    def repeat(self, instance_of: Callable[[int], WorkflowInstance | None]) -> None:
        """Ask again for what was asked for and not answered: a wiped Redis forgets requests."""
        for key in list(self._pressing):
            instance = instance_of(key[0])
            attempt = instance.attempts.get(key[1]) if instance else None
            if instance is None or attempt is None:
                del self._pressing[key]
            else:
                self.enact(instance, attempt)

    def forget(self, instance: WorkflowInstance) -> None:
        """Forget a run that has ended or is to be loaded again."""
        number = instance.head.id
        for task in (*instance.attempts, *instance.spent):
            key = (number, task)
            self._desk.timers.cancel(key)
            self._desk.ready.withdraw(key)
            self._desk.docket.withdraw(key)
            self._desk.messenger.withdraw(key)
            self._desk.pooled.forget(key)
            self._pressing.pop(key, None)
            self._inherited.discard(key)
            self._taken_back.pop(key, None)
            self._vigils.forget(key)
        self._desk.timers.cancel((number, ""))
        self._desk.holdings.forget(number)

    def clear(self) -> None:
        """Forget everything: the slots belong to somebody else."""
        self._pressing.clear()
        self._inherited.clear()
        self._taken_back.clear()
        self._vigils.clear()
        self._desk.ready.clear()
        self._desk.docket.clear()
        self._desk.holdings.clear()
        self._desk.pooled.clear()
        self._desk.messenger.clear()
        self._desk.timers.clear()

    def _line_up(self, instance: WorkflowInstance, attempt: TaskInstance, group: str) -> None:
        """Let the hand-over wait for room in the broker, unless it is there, or was just taken back."""
        key = (instance.head.id, attempt.task)
        if self._desk.holdings.is_handed_over(key, attempt.token) or key in self._taken_back:
            return
        self._desk.ready.push(key, group, rank_of(instance, attempt))

    def _recall(
        self, instance: WorkflowInstance, attempt: TaskInstance, *, withdrawn: bool, unserved: bool = False
    ) -> None:
        """Take a hand-over back: at once if it never left this master, else by its claim."""
        key = (instance.head.id, attempt.task)
        waits_here = attempt.due_at is not None and not self._desk.holdings.is_handed_over(key, attempt.token)
        if (withdrawn or waits_here) and key not in self._inherited:
            self._taken_back[key] = attempt.token  # until that is handled, a resume must not let it go
            self._tell(about(attempt, RecallWon, unserved=unserved))
            return
        self._pressing[key] = Recall()
        self._desk.messenger.recall(replace(hand_over_of(attempt), unserved=unserved))

    def _tell(self, notice: Notice) -> None:
        self._desk.inbox.put_notices([NoticeItem(notice)])


_ENDED = frozenset({TaskState.LOST, TaskState.FAILURE, TaskState.KILLED})


def rank_of(instance: WorkflowInstance, attempt: TaskInstance) -> Rank:
    """Return where an attempt stands in a line: the run's priority, then the task's, then age."""
    age = attempt.submitted_at.timestamp() if attempt.submitted_at else 0.0
    task = instance.graph.tasks[attempt.task]
    return Rank(instance.head.priority.rank, task.priority.rank, age, attempt.sequence)
