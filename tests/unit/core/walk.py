"""Owns the walk: whatever can be said about a run, right or wrong, at random; and how to bring it to its end."""

from dataclasses import replace
from random import Random
from typing import Any

from orchestrator.core.command import CommandKind
from orchestrator.core.definition import WorkflowDefinition
from orchestrator.core.elements import MAP, gathers
from orchestrator.core.event import (
    CHILD_DIED,
    RejectReason,
    TaskDelayed,
    TaskDispatched,
    TaskEvent,
    TaskResult,
    TaskRunning,
    WorkerReject,
)
from orchestrator.core.instance import TaskInstance
from orchestrator.core.notice import (
    AttemptDue,
    AttemptLost,
    AttemptNotice,
    AttemptTimeout,
    Gathered,
    RecallLost,
    RecallWon,
    RunTimeout,
    Spread,
    Unsubmittable,
    Withdrawn,
)
from orchestrator.core.status import TASK_ACTIVE, TASK_FINAL, WORKFLOW_FINAL, TaskState, WorkflowState
from orchestrator.core.wants import Judge, Kill, Overdue, Recall, TimeoutAt, WakeAt, Withdraw
from orchestrator.errors import AheadOfMemory, Conflict, DropEvent, IllegalTransition
from tests.builders import INSTANCE_ID, NOW, notice_of, report_of
from tests.unit.core.play import Play

REPORTS: list[tuple[type[TaskEvent], dict[str, Any]]] = [
    (TaskDispatched, {"worker": "", "incarnation": ""}),
    (TaskRunning, {}),
    (TaskRunning, {"worker": "w2", "incarnation": "w2-1"}),
    (TaskResult, {"state": TaskState.SUCCESS, "outputs": {"rows": [1, 2]}}),
    (TaskResult, {"state": TaskState.FAILURE, "error": "ValueError"}),
    (TaskResult, {"state": TaskState.FAILURE, "error": CHILD_DIED}),
    (TaskResult, {"state": TaskState.KILLED}),
    (TaskDelayed, {"seconds": 4.0}),
    (WorkerReject, {"reason": RejectReason.DRAINING}),
    (WorkerReject, {"reason": RejectReason.UNKNOWN_TYPE}),
]
NOTICES: list[tuple[type[AttemptNotice], dict[str, Any]]] = [
    (AttemptDue, {}),
    (AttemptDue, {}),
    (AttemptTimeout, {}),
    (AttemptLost, {"incarnation": "w1-1", "reason": "gone"}),
    (RecallWon, {}),
    (RecallLost, {"worker": "w1", "incarnation": "w1-1"}),
    (Unsubmittable, {"reason": "no value"}),
]
WRONG: list[dict[str, Any]] = [
    {"attempt": 1},
    {"attempt": 7},
    {"dispatch": 1},
    {"dispatch": 7},
    {"ticket": "guessed"},
]
COMMANDS = [CommandKind.PAUSE, CommandKind.PAUSE, CommandKind.RESUME, CommandKind.RESUME, CommandKind.STOP]
REFUSALS = (DropEvent, AheadOfMemory, Conflict, IllegalTransition)


class Walk:
    """Says random things about a run.

    Args:
        definition: The workflow.
        random: Decides what is said.
    """

    def __init__(self, definition: WorkflowDefinition, random: Random) -> None:
        row_limit = random.choice([1, 2, 1000])
        self.play = Play(definition, row_limit=row_limit, live_workers=lambda _group: frozenset({"w1", "w2"}))
        self._random = random

    def wander(self, steps: int) -> Play:
        """Take random steps; what is refused must leave memory as it was."""
        self.play.start()
        for _ in range(steps):
            before = self.play.instance.snapshot()
            try:
                self._say_something()
            except REFUSALS:
                assert self.play.instance.snapshot() == before
        return self.play

    def _say_something(self) -> None:
        attempts = list(self.play.instance.attempts.values())
        dice = self._random.random()
        if dice < 0.1:
            self.play.wait(self._random.choice([1.0, 4.0, 9.0]))
        elif dice < 0.2:
            self.play.go_on()
        elif dice < 0.25:
            self.play.notice(RunTimeout(workflow_instance_id=INSTANCE_ID))
        elif dice < 0.33 or not attempts:
            self.play.command(self._random.choice(COMMANDS))
        else:
            self._speak_of(self._random.choice(attempts), as_notice=dice > 0.75)

    def _speak_of(self, attempt: TaskInstance, *, as_notice: bool) -> None:
        if attempt.type == MAP:
            self._speak_of_map(attempt)
            return
        wrong: dict[str, Any] = self._random.choice(WRONG) if self._random.random() < 0.15 else {}
        if as_notice:
            kind, fields = self._random.choice(NOTICES)
            notice: Any = notice_of(attempt, kind, **fields)
            self.play.notice(replace(notice, **{name: wrong[name] for name in wrong if name != "ticket"}))
        else:
            report, fields = self._random.choice(REPORTS)
            event: Any = report_of(attempt, report, **{**fields, **wrong})
            self.play.deliver(event)

    def _speak_of_map(self, attempt: TaskInstance) -> None:
        if self._random.random() < 0.7:
            self.play.notify(attempt.task, Spread, total=self._random.choice([0, 1, 2, 3, 5]))
        else:
            self.play.notify(attempt.task, self._random.choice([Gathered, Withdrawn]))


def bring_to_its_end(play: Play, most: int = 500) -> Play:
    """Do what the rows ask for, and nothing else, until the run has ended; a PAUSED one is resumed.

    Raises:
        AssertionError: It does not end: it is stuck.
    """
    for _ in range(most):
        if play.state in WORKFLOW_FINAL:
            return play
        if play.instance.is_unsettled:
            play.go_on()
        elif play.state is WorkflowState.PAUSED:
            play.command(CommandKind.RESUME)
        else:
            _do_what_is_wanted(play)
    raise AssertionError(f"stuck in {play.state} with {play.states}")


def _do_what_is_wanted(play: Play) -> None:
    active = play.instance.in_state(*TASK_ACTIVE)
    able = [task for task in active if play[task].type != MAP or play.wants(task) is not None]
    assert able, f"stuck in {play.state} with {play.states}"
    task = able[0]
    owner = {"worker": play[task].worker or "w1", "incarnation": play[task].incarnation or "w1-1"}
    match play.wants(task):
        case WakeAt(at):
            play.clock_s = max(play.clock_s, (at - NOW).total_seconds())
            play.notify(task, AttemptDue)
        case Recall():
            play.notify(task, RecallWon)
        case Judge() if gathers(play[task]):
            play.notify(task, Gathered)
        case Judge():
            play.notify(task, Spread, total=2)
        case Withdraw():
            play.notify(task, Withdrawn)
        case Kill():
            play.report(task, TaskResult, state=TaskState.KILLED, **owner)
        case Overdue() | TimeoutAt() | None | _:
            play.report(task, TaskResult, state=TaskState.SUCCESS, **owner)


def left_over(play: Play) -> list[str]:
    """Return the tasks of an ended run whose current attempt has not ended."""
    return [task for task, attempt in play.instance.attempts.items() if attempt.state not in TASK_FINAL]
