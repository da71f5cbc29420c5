"""Owns the look at other workflows' runs: many dependent tasks at a time, with few queries."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

import structlog

from orchestrator.core.dependence import (
    Answer,
    Answers,
    Finding,
    Question,
    Verdict,
    in_words,
    judge,
    questions,
    waits_for,
)
from orchestrator.core.instance import TaskInstance
from orchestrator.core.logic import DEPENDENT
from orchestrator.core.notice import Looked, about
from orchestrator.core.run import WorkflowInstance
from orchestrator.core.status import TaskState
from orchestrator.errors import StoreUnavailable
from orchestrator.master.cut import Cut, Park
from orchestrator.master.desk import Desk
from orchestrator.master.due import AT_ONCE, LOOKS, Due
from orchestrator.master.items import NoticeItem
from orchestrator.master.lanes import Lanes
from orchestrator.master.ready import Key

log = structlog.get_logger(__name__)

MOST = 100
"""So many dependent tasks look in one turn."""

MOST_QUESTIONS = 500
"""Nobody joins a turn that has so many: each costs the database about a millisecond."""

CHECK_EVERY_S = 10.0
SHORTEST_S = 1.0
"""Nobody looks more often than this."""

RETRY_S = 0.5
"""How long nobody looks after the database did not answer."""


class RunHistory(Protocol):
    """What is known of other workflows' runs."""

    def answers(self, questions: Iterable[Question]) -> Mapping[Question, Answer]:
        """Return the answer to each question; StoreUnavailable if the database is away."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Watcher:
    """A dependent task that waits, and what it asks."""

    instance: WorkflowInstance
    attempt: TaskInstance
    asked: tuple[Question, ...]

    @property
    def key(self) -> Key:
        """Run and task."""
        return (self.instance.head.id, self.attempt.task)

    @property
    def spec(self) -> Mapping[str, Any]:
        """The task's own fields."""
        return self.instance.graph.tasks[self.attempt.task].spec


class Lookout:
    """Runs in the loop's thread. What was seen goes to the loop as a notice, if it is news.

    A look that finds nothing new writes nothing: when the next one is due stands in memory alone, and whoever
    takes the run over looks at once.

    Args:
        desk: Docket, timers, inbox, clock.
        lanes: The runs in memory.
        history: Answers what is asked.
        park: Takes a run out of the way whose dependencies cannot be judged because of a bug.
    """

    def __init__(self, desk: Desk, lanes: Lanes, history: RunHistory, park: Park) -> None:
        self._desk = desk
        self._lanes = lanes
        self._history = history
        self._park = park

    def step(self) -> int:
        """Look for those whose time it is; return how many there were."""
        watchers = self._watchers(self._desk.docket.take(LOOKS, MOST))
        if not watchers:
            return 0
        try:
            answers = self._history.answers({one for watcher in watchers for one in watcher.asked})
        except StoreUnavailable as error:
            log.warning("store.unavailable", error=str(error))
            for watcher in watchers:
                self._again(watcher, RETRY_S)
            return 0
        for watcher in watchers:
            try:
                self._look(watcher, answers)
            except Exception as error:  # noqa: BLE001  a bug in one run must not stop the others (R7)
                self._park(watcher.key[0], Cut(error, []))
        return len(watchers)

    def _watchers(self, keys: Sequence[Key]) -> list[Watcher]:
        found: list[Watcher] = []
        asked: set[Question] = set()
        for position, (number, task) in enumerate(keys):
            if len(asked) >= MOST_QUESTIONS:
                for key in keys[position:]:
                    self._desk.docket.push(key, LOOKS, AT_ONCE)
                break
            instance = self._lanes.get(number)
            attempt = instance.attempts.get(task) if instance else None
            if instance is None or attempt is None or not _waits(instance, attempt):
                continue
            spec = instance.graph.tasks[task].spec
            try:
                own = tuple(questions(spec, instance.head, instance.definition))
            except OverflowError:
                self._tell(attempt, Verdict.FAILED, "a window lies outside the years 1 to 9999")
            except Exception as error:  # noqa: BLE001  a bug in one run must not stop the others (R7)
                self._park(number, Cut(error, []))
            else:
                asked.update(own)
                found.append(Watcher(instance=instance, attempt=attempt, asked=own))
        return found

    def _look(self, watcher: Watcher, answers: Answers) -> None:
        instance, attempt = watcher.instance, watcher.attempt
        if self._lanes.get(instance.head.id) is not instance:  # parked for another of its tasks
            return
        finding = judge(watcher.spec, instance.head, instance.definition, answers)
        if self._is_news(attempt, finding):
            self._tell(attempt, finding.verdict, in_words(finding))
        self._again(watcher, max(watcher.spec.get("check_every", CHECK_EVERY_S), SHORTEST_S))

    def _is_news(self, attempt: TaskInstance, finding: Finding) -> bool:
        over = attempt.timeout_at is not None and attempt.timeout_at <= self._desk.clock.now()
        return (
            over or finding.verdict is not Verdict.WAITING or attempt.reason != waits_for(in_words(finding))
        )

    def _tell(self, attempt: TaskInstance, found: Verdict, reason: str) -> None:
        self._desk.inbox.put_notices([NoticeItem(about(attempt, Looked, found=found, reason=reason))])

    def _again(self, watcher: Watcher, seconds: float) -> None:
        """Look again then; and once more when the wait is over, if that comes before."""
        now, over = self._desk.clock.now(), watcher.attempt.timeout_at
        at = now + timedelta(seconds=seconds)
        if over is not None and now < over < at:
            at = over
        due = Due(watcher.instance.head.slot, watcher.key, mark=LOOKS)
        self._desk.timers.set(due.timer, at, due)


def _waits(instance: WorkflowInstance, attempt: TaskInstance) -> bool:
    return attempt.state is TaskState.RUNNING and instance.graph.tasks[attempt.task].type == DEPENDENT
