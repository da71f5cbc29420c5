"""Owns the reference model: which ends of a run are right, by SEMANTICS 2 to 6 and the scripts of its tasks.

Every task is judged by its own script and by how its upstreams are *seen* to have ended, so that one fault is told
once, where it is. Under `on_failure: continue` and without a stop exactly one end is right. A failure under `end`,
or a stop, may come at any moment: then a task may also be cut short, and what is behind it may be missing.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from orchestrator.core.definition import OnFailure, TaskDefinition, Trigger
from tests.simulation.model_approvals import approval_script
from tests.simulation.model_attempts import (
    GIVEN_UP_IN_QUEUE,
    Account,
    SeenAttempt,
    attempt_faults,
    by_run_count,
)
from tests.simulation.model_branches import Branches
from tests.simulation.model_children import call_faults, script_of
from tests.simulation.model_dependents import dependent_script
from tests.simulation.model_maps import SeenMap, crowd_faults, map_faults
from tests.simulation.model_triggers import Outcome, Word, wired, word_of
from tests.simulation.plan import PlannedRun, Script
from tests.simulation.workload_approvals import APPROVAL
from tests.simulation.workload_checks import CHECK_FAILED
from tests.simulation.workload_children import CALLS
from tests.simulation.workload_dependents import DEPENDENT
from tests.simulation.workload_maps import map_of

__all__ = ["Seen", "SeenAttempt", "judge"]

FORCED = "FORCED_SUCCESS"
"""What a failed or killed attempt is once people have declared it a success."""

OUTCOMES: Mapping[str, Outcome] = {
    "SUCCESS": Outcome.SUCCESS,
    "FAILURE": Outcome.FAILED,
    "KILLED": Outcome.FAILED,
    "SKIPPED": Outcome.SKIPPED,
    FORCED: Outcome.SUCCESS,
}

SKIPPED_ROW = ("SKIPPED", True, 0)
"""State, currency and failures of the one attempt of a skipped task."""

FINAL = frozenset({"SUCCESS", "FAILURE", "STOPPED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is seen of a run when everything is at rest.

    Attributes:
        stop_was_sent: A person asked for a stop, whether or not it still found something to stop.
        paused_was_sent: A person asked for a pause; that changes no end.
        disturbed: Something broke: attempts may have been lost.
        forgot: Redis forgot something: a hand-over may have been taken back before its death was told.
        clock_jumped: The clock of the rows jumped: their times say nothing about order.
        run_count: More than 1 if the run was recovered or rerun.
    """

    state: str
    attempts: tuple[SeenAttempt, ...]
    stop_was_sent: bool
    paused_was_sent: bool = False
    disturbed: bool = True
    forgot: bool = False
    clock_jumped: bool = False
    run_count: int = 1


def judge(run: PlannedRun, seen: Seen) -> list[str]:
    """Return everything that is wrong with the end of a run, one line each, beginning with `O1: `."""
    if seen.state not in FINAL:
        return [f"O1: the run is {seen.state}"]
    return [f"O1: {line}" for line in _Judgement(run, seen).faults()]


class _Judgement:
    """One run under judgement.

    Attributes:
        outcomes: How each task ended, as far as the judgement got.
    """

    def __init__(self, run: PlannedRun, seen: Seen) -> None:
        self._run = run
        self._seen = seen
        self._upstreams = wired(run.definition)
        self._tasks = {task.name: task for task in run.definition.tasks}
        self._branches = Branches(self._tasks)
        self._mapped = {name for name, task in self._tasks.items() if task.map_over is not None}
        rows = _by_task(seen.attempts)
        self._tasks |= {name: self._tasks[map_of(name)] for name in rows if map_of(name) in self._mapped}
        once = seen.run_count == 1
        self._parts = {task: [some] if once else by_run_count(some) for task, some in rows.items()}
        self._rows = {task: parts[-1] for task, parts in self._parts.items() if once or parts[-1][-1].current}
        self._last = {task: _end_of(rows[-1]) for task, rows in self._rows.items()}
        self._killed = "KILLED" in self._last.values()
        absorbed = self._branches.absorbed
        self._failed = any(
            state in {"FAILURE", "KILLED"}
            for task, state in self._last.items()
            if task in self._upstreams and task not in absorbed
        )
        self._ending = self._failed and run.definition.on_failure is OnFailure.END
        self.outcomes: dict[str, Outcome] = {}
        self._spared: set[str] = set()
        self._cut: list[str] = []

    def faults(self) -> Iterator[str]:
        """Yield what is wrong."""
        for name in self._parts:
            if name not in self._upstreams and map_of(name) not in self._mapped:
                yield f"{name} has attempts and is disabled or unknown"
        for name, upstreams in self._upstreams.items():
            word = self._word_then(name, upstreams)
            for line in self._task_faults(name, word):
                yield f"{name} {word}: {line}" if self._rows.get(name) else f"{name} {line}"
            self.outcomes[name] = self._outcome(name, word)
            if self._is_spared(name, word):
                self._spared.add(name)
            yield from self._earlier_faults(name)
            if name in self._mapped:
                yield from (f"{name}: {line}" for line in self._element_faults(name))
        yield from self._cause_faults()
        yield from self._state_faults()

    # --- one task ----------------------------------------------------------------------------

    def _word_then(self, name: str, upstreams: Sequence[str]) -> Word:
        """Return the word of a task's trigger; if it ran behind what was forced since, the one of then."""
        forced = [one for one in upstreams if one in self._rows and self._rows[one][-1].forced]
        word = self._word(name, upstreams, self.outcomes)
        if not forced or name not in self._rows or not any(self._task_faults(name, word)):
            return word
        before = self._word(name, upstreams, {**self.outcomes, **dict.fromkeys(forced, Outcome.FAILED)})
        return word if any(self._task_faults(name, before)) else before

    def _word(self, name: str, upstreams: Sequence[str], outcomes: Mapping[str, Outcome]) -> Word:
        task = self._tasks[name]
        seen = [self._branches.seen_from(name, one, outcomes) for one in upstreams]
        return self._branches.word(task, seen) or word_of(task.trigger, seen)

    def _task_faults(self, name: str, word: Word) -> Iterator[str]:
        rows = self._rows.get(name)
        if rows is None:
            if self._must_exist(name, word):
                yield f"{word} and has no attempt"
        elif word is Word.SKIP:
            if [(row.state, row.current, row.failures) for row in rows] != [SKIPPED_ROW]:
                yield f"its attempts are {[row.state for row in rows]}"
        elif word is Word.RUN and self._may_exist(name):
            if name in self._mapped:
                yield from map_faults(self._map(name, self._account(name, rows)))
            else:
                yield from self._attempt_faults(name, rows)
            yield from self._order_faults(name, rows)
        else:
            yield f"it has attempts: {[row.state for row in rows]}"

    def _must_exist(self, name: str, word: Word) -> bool:
        """Whether a task cannot be without attempts: nothing ended the run before its turn came."""
        if word in {Word.NOT_RUN, Word.WAIT} or self._seen.stop_was_sent:
            return False
        if word is Word.SKIP or not self._ending:
            return True
        is_root = not self._upstreams[name]
        return is_root or self._tasks[name].trigger is Trigger.ALL_DONE

    def _may_exist(self, name: str) -> bool:
        """Whether a task can have been submitted: under `end`, a failure starts nothing but clean-up.

        A failure that is absorbed ends nothing, so it is answered. A rerun from another task begins anew: a
        failure that it left where it was ends nothing again.
        """
        if self._seen.run_count > 1 or self._run.definition.on_failure is not OnFailure.END:
            return True
        upstreams = self._upstreams[name]
        answers_failure = self._tasks[name].trigger is Trigger.ONE_FAILED and upstreams
        return not answers_failure or not self._spared.isdisjoint(upstreams)

    def _is_spared(self, name: str, word: Word) -> bool:
        """Whether a task failed without ending its run, since that is absorbed, or was not run for such a one."""
        if name in self._rows:
            return self._last[name] == "FAILURE" and name in self._branches.absorbed
        return word is Word.NOT_RUN and not self._spared.isdisjoint(self._upstreams[name])

    def _outcome(self, name: str, word: Word) -> Outcome:
        if name in self._rows:
            return OUTCOMES.get(self._last[name], Outcome.OPEN)
        if word is Word.NOT_RUN:
            return Outcome.NOT_RUN
        self._cut.append(name)
        return Outcome.NOT_RUN if self._ending else Outcome.OPEN

    def _earlier_faults(self, name: str) -> Iterator[str]:
        """Yield what is wrong with the attempts that a recover or rerun left behind."""
        for part in self._parts.get(name, []):
            if name in self._mapped:
                continue
            if part is not self._rows.get(name) and [row.state for row in part] != ["SKIPPED"]:
                for line in self._attempt_faults(name, part):
                    yield f"{name}, before it ran again: {line}"

    def _attempt_faults(self, name: str, rows: Sequence[SeenAttempt]) -> Iterator[str]:
        yield from attempt_faults(self._account(name, rows))
        if self._tasks[name].type == CALLS:
            yield from call_faults(rows)

    # --- maps --------------------------------------------------------------------------------

    def _elements(self, name: str) -> list[str]:
        return [one for one in self._parts if one != name and map_of(one) == name]

    def _map(self, name: str, account: Account) -> SeenMap:
        current = [one for one in self._elements(name) if one in self._rows]
        return SeenMap(
            total=len(self._tasks[name].map_over),
            rows=account.rows,
            elements={int(one[len(name) + 1 : -1]): self._last[one] for one in current},
            interrupted=account.interrupted,
            first=1 + sum(len(part) for part in self._parts[name] if part is not account.rows),
        )

    def _element_faults(self, name: str) -> Iterator[str]:
        """Yield what is wrong with the elements of a map, each judged like a task of its own."""
        elements = self._elements(name)
        for one in elements:
            rows = self._rows.get(one)
            if rows is not None and name not in self._rows:
                yield f"{one} has attempts, and the map has none"
            elif rows is not None:
                yield from (f"{one}: {line}" for line in self._attempt_faults(one, rows))
            yield from self._earlier_faults(one)
        most = self._tasks[name].max_parallel
        if most is not None and not self._seen.clock_jumped:
            every = [row for one in elements for part in self._parts[one] for row in part]
            yield from crowd_faults(every, most)

    def _account(self, name: str, rows: Sequence[SeenAttempt]) -> Account:
        script = self._script(name, rows)
        before = [row for part in self._parts[name] for row in part if row.attempt < rows[0].attempt]
        if before and self._tasks[name].type == "noop":
            # failures are counted over all attempts; what died before is not known exactly
            failures = script.failures - sum(row.state == "FAILURE" and not row.overdue for row in before)
            script = replace(script, failures=max(failures, 0), deaths=0)
        is_over = rows is not self._rows.get(name)
        overdue = sum(row.overdue for row in rows)
        if self._tasks[name].queue_timeout_s is not None:  # such tasks fail for nothing else
            overdue += sum(row.state == "FAILURE" and row.reason == GIVEN_UP_IN_QUEUE for row in rows)
        task = self._tasks[name]
        if script.spoils and CHECK_FAILED in task.non_retryable:
            task = replace(task, retries=0)
        return Account(
            task=task,
            script=replace(script, failures=script.failures + overdue) if overdue else script,
            rows=rows,
            is_over=is_over,
            again=bool(before),
            interrupted=self._ending
            or self._seen.stop_was_sent
            or is_over
            or rows[-1].is_cut
            or rows[-1].forced,
            disturbed=self._seen.disturbed,
            forgot=self._seen.forgot,
            clock_jumped=self._seen.clock_jumped,
        )

    def _script(self, name: str, rows: Sequence[SeenAttempt]) -> Script:
        """Return what attempts follow: of what no worker has, it is said by those who ended it."""
        task = self._tasks[name]
        if task.type == CALLS:
            return script_of(rows)
        if task.type == APPROVAL:
            return approval_script(task, rows)
        if task.type == DEPENDENT:
            return dependent_script(rows)
        return self._run.scripts.get(name, Script())

    def _order_faults(self, name: str, rows: Sequence[SeenAttempt]) -> Iterator[str]:
        """Yield if a task was submitted before its upstreams allowed it; only where no clock jumped."""
        created_at = rows[0].created_at
        if self._seen.clock_jumped or created_at is None or _decides_early(self._tasks[name]):
            return
        for upstream in self._upstreams[name]:
            others = self._rows.get(upstream, ())
            ended_at = others[-1].ended_at if others else None
            if ended_at is not None and ended_at > created_at and not self._came_later(others, rows):
                yield f"it was submitted before {upstream} ended"

    def _came_later(self, upstream: Sequence[SeenAttempt], rows: Sequence[SeenAttempt]) -> bool:
        """Whether an upstream ran for the first time when a rerun from elsewhere let it, behind what stays."""
        first, last = upstream[0], rows[-1]
        if self._seen.run_count == 1 or first.attempt > 1 or first.created_at is None:
            return False
        return last.ended_at is not None and last.ended_at <= first.created_at

    # --- the run -----------------------------------------------------------------------------

    def _cause_faults(self) -> Iterator[str]:
        """Yield if a run was cut short, although no task failed for good and nobody stopped it."""
        if not self._ending or self._seen.stop_was_sent:
            return
        if self._seen.run_count > 1:  # what was cut short before, and stays, had its cause before
            return
        if not any(
            self._account(name, rows).used_up or rows[-1].is_cut
            for name, rows in self._rows.items()
            if name in self._tasks and name not in self._mapped
        ):
            yield "tasks were cut short, and none had failed for good"

    def _state_faults(self) -> Iterator[str]:
        right = self._right_states()
        if self._seen.state not in right:
            counts = sorted(self._last.values())
            shown = {state: counts.count(state) for state in counts}
            yield f"the run is {self._seen.state}, not {' or '.join(sorted(right))}: {shown}, open {self._cut[:5]}"

    def _right_states(self) -> set[str]:
        by_rows = "FAILURE" if self._failed else "SUCCESS"
        if not self._seen.stop_was_sent:
            return {by_rows}
        if not self._upstreams:  # nothing but wires: a stop may come before the start, or too late
            return {"SUCCESS", "STOPPED"}
        if not (self._killed or self._cut):
            let_go = any(rows[-1].let_go for rows in self._rows.values())
            return {by_rows, "STOPPED"} if let_go else {by_rows}  # PAUSED, it has no other end
        by_hand = any(rows[-1].is_cut for rows in self._rows.values())
        if self._seen.run_count > 1 or by_hand:  # by a stop before, or of a child: then it is a failure
            return {"STOPPED", by_rows}
        return {"STOPPED", "FAILURE"} if self._ending else {"STOPPED"}


def _end_of(row: SeenAttempt) -> str:
    return FORCED if row.forced else row.state


def _decides_early(task: TaskDefinition) -> bool:
    return task.trigger in {Trigger.ONE_SUCCESS, Trigger.ONE_FAILED}


def _by_task(attempts: Sequence[SeenAttempt]) -> Mapping[str, list[SeenAttempt]]:
    rows: defaultdict[str, list[SeenAttempt]] = defaultdict(list)
    for attempt in sorted(attempts, key=lambda one: (one.task, one.attempt)):
        rows[attempt.task].append(attempt)
    return dict(rows)
