"""Owns the disorder: every report of a run, delivered in any order, any number of times, each at least once."""

from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from orchestrator.core.command import CommandKind
from orchestrator.core.definition import WorkflowDefinition
from orchestrator.core.event import (
    CHILD_DIED,
    RejectReason,
    TaskDispatched,
    TaskEvent,
    TaskResult,
    TaskRunning,
    WorkerReject,
)
from orchestrator.core.instance import TaskInstance
from orchestrator.core.notice import AttemptLost, AttemptNotice, RecallWon
from orchestrator.core.status import WORKFLOW_FINAL, TaskState
from orchestrator.errors import DropEvent
from tests.builders import notice_of, report_of
from tests.unit.core.play import Play
from tests.unit.core.reference import Script

Item = TaskEvent | AttemptNotice


class Disorder:
    """Runs a workflow to its end, as its scripts say, with everything that at-least-once delivery may do.

    Args:
        definition: The workflow.
        scripts: What becomes of the tries of each task.
        random: Decides orders and repeats.
    """

    def __init__(self, definition: WorkflowDefinition, scripts: Mapping[str, Script], random: Random) -> None:
        self.play = Play(definition, strict=len(definition.tasks) < 10, row_limit=random.choice([1, 3, 1000]))
        self._scripts = scripts
        self._random = random
        self._bag: list[Item] = []
        self._handed_over: set[tuple[str, int, int]] = set()
        self._delivered: list[Item] = []

    def run(self) -> Play:
        """Deliver everything; return the run at its end."""
        self.play.start()
        return self._go_on()

    def run_again(self, kind: CommandKind, scripts: Mapping[str, Script], /, **body: Any) -> Play:
        """Recover or rerun the run that has ended, with other scripts; what was late still is on its way."""
        self.play.command(kind, **body)
        self._scripts = scripts
        return self._go_on()

    def _go_on(self) -> Play:
        self._hand_over()
        while self.play.state not in WORKFLOW_FINAL:
            if self.play.instance.is_unsettled and (not self._bag or self._random.random() < 0.3):
                self.play.go_on()
            else:
                assert self._bag, "nothing waits, nothing runs, and the run has not ended"
                self._deliver(self._bag.pop(self._random.randrange(len(self._bag))))
            self._hand_over()
        for item in [*self._bag, *self._delivered]:
            self._changes_nothing(item)
        return self.play

    def _hand_over(self) -> None:
        """Put what will be reported about new hand-overs into the bag, some of it several times."""
        for task in self.play.instance.in_state(TaskState.SUBMITTED):
            attempt = self.play[task]
            if (task, *attempt.token) not in self._handed_over:
                self._handed_over.add((task, *attempt.token))
                for item in self._reports(attempt):
                    self._bag.extend([item] * self._random.choice([1, 1, 2, 3]))

    def _reports(self, attempt: TaskInstance) -> Iterator[Item]:
        now = self._scripts[attempt.task][attempt.failures]
        yield report_of(attempt, TaskDispatched, worker="", incarnation="")
        if attempt.dispatch <= now.returned:
            rejected = report_of(attempt, WorkerReject, reason=RejectReason.OVERLOAD)
            yield self._either(rejected, notice_of(attempt, RecallWon))
            return
        yield report_of(attempt, TaskRunning)
        if attempt.losses + attempt.deaths < now.deaths:
            died = report_of(attempt, TaskResult, state=TaskState.FAILURE, error=CHILD_DIED)
            yield self._either(died, notice_of(attempt, AttemptLost, incarnation="w1-1", reason="gone"))
            return
        yield report_of(attempt, TaskResult, state=TaskState(now.state), outputs={"by": attempt.attempt})

    def _either(self, one: Item, other: Item) -> Item:
        return one if self._random.random() < 0.5 else other

    def _deliver(self, item: Item) -> None:
        """Deliver an item; whatever it did, it must do nothing the second time (I3)."""
        self._delivered.append(item)
        try:
            self._take(item)
        except DropEvent:
            return
        self._changes_nothing(item)

    def _changes_nothing(self, item: Item) -> None:
        before = self.play.instance.snapshot()
        try:
            self._take(item)
        except DropEvent:
            assert self.play.instance.snapshot() == before
        else:
            raise AssertionError(f"delivered again, it changed something: {item}")

    def _take(self, item: Item) -> None:
        if isinstance(item, TaskEvent):
            self.play.deliver(item)  # type: ignore[arg-type] # the union names its leaves, the bag their parent
        else:
            self.play.notice(item)  # type: ignore[arg-type] # the same
