"""Owns the way from facts to causes: which tasks are spoken of, and what is said of each."""

from collections.abc import Iterable, Iterator

from orchestrator.core.elements import MAP, group_of
from orchestrator.core.instance import TaskInstance
from orchestrator.core.node import Outcome
from orchestrator.core.status import TASK_FINAL, TaskState
from orchestrator.service.explaining.attempt_causes import attempt_causes, held_by_name
from orchestrator.service.explaining.causes import Cause, Kind, by_weight
from orchestrator.service.explaining.child_causes import held_by_hand
from orchestrator.service.explaining.facts import Facts
from orchestrator.service.explaining.graph_causes import ended_cause, front, outside_cause, unreached_cause
from orchestrator.service.explaining.map_causes import open_elements, turn_cause
from orchestrator.service.explaining.run_causes import run_causes

MOST_ALIKE = 50
"""So many tasks are named one by one for one kind of cause; who asks for a task gets its own."""

UNREMARKABLE = frozenset({TaskState.SUCCESS, TaskState.FORCED_SUCCESS, TaskState.SKIPPED})
"""Ends that hold nothing back: they are explained to who asks for that very task."""


def causes_of_run(facts: Facts) -> list[Cause]:
    """Return why a run does not go on: what holds it as a whole, then its tasks, the most decisive first."""
    found = [*run_causes(facts), *_capped(_of_all_tasks(facts), facts.number)]
    return by_weight(found) or [_going_on()]


def causes_of_task(facts: Facts, task: str) -> list[Cause]:
    """Return why one task does not run: what holds it, what holds its run, and what holds those it waits for."""
    if task in facts.outside:
        return [outside_cause(facts, task)]
    if (group := group_of(task)) is not None:
        return _causes_of_element(facts, task, group)
    if facts.run.nodes[task].outcome is not None:
        return by_weight(_of_task(facts, task))
    waits_for = front(facts.run, task) if task not in facts.run.attempts else ()
    ancestors = (cause for name in waits_for for cause in _of_task(facts, name))
    found = [*run_causes(facts), *_of_task(facts, task), *_capped(ancestors, facts.number)]
    return by_weight(found)


def _of_all_tasks(facts: Facts) -> Iterator[Cause]:
    """Yield the causes of all tasks; of those that are not run only as many whole ones as are told.

    Each is worked out from the whole graph above it: with all of 100,000 tasks nobody could wait for the answer.
    """
    run, not_run = facts.run, 0
    for task in run.graph.order:
        attempt = run.attempts.get(task)
        not_run += run.nodes[task].outcome is Outcome.NOT_RUN
        if run.nodes[task].outcome is Outcome.NOT_RUN and not_run > MOST_ALIKE:
            yield Cause(kind=Kind.NOT_RUN, task=task, detail="")
        elif attempt is None or not _is_unremarkable(facts, attempt):
            yield from _of_task(facts, task)
            yield from _of_elements(facts, attempt)


def _of_elements(facts: Facts, attempt: TaskInstance | None) -> Iterator[Cause]:
    """Yield what is to be said of the elements of a map that goes on or has failed."""
    if attempt is not None and attempt.type == MAP:
        for one in open_elements(facts, attempt):
            if not held_by_hand(facts, one):  # these are told together, with their map
                yield from _of_task(facts, one.task)


def _causes_of_element(facts: Facts, element: str, group: str) -> list[Cause]:
    attempt, row = facts.run.attempts.get(element), facts.run.attempts.get(group)
    if attempt is not None and attempt.state in TASK_FINAL:
        return by_weight(_of_task(facts, element))
    if attempt is not None:
        return by_weight([*run_causes(facts), *_of_task(facts, element)])
    whole = [] if row is None or row.state in TASK_FINAL else [turn_cause(facts, element)]
    return by_weight([*whole, *causes_of_task(facts, group)])


def _is_unremarkable(facts: Facts, attempt: TaskInstance) -> bool:
    return attempt.state in UNREMARKABLE or (
        attempt.task in facts.run.graph.absorbed and facts.run.nodes[attempt.task].outcome is Outcome.FAILED
    )


def _of_task(facts: Facts, task: str) -> Iterator[Cause]:
    attempt = facts.run.attempts.get(task)
    if attempt is None:
        yield unreached_cause(facts, task)
        if task in facts.run.head.held and facts.run.nodes[task].outcome is None:
            yield held_by_name(facts, task, "will be held when it is ready: it was paused by name")
    elif attempt.state in TASK_FINAL:
        yield ended_cause(facts, attempt)
    else:
        yield from attempt_causes(facts, attempt)


def _capped(causes: Iterable[Cause], number: int) -> Iterator[Cause]:
    """Yield at most so many causes of each kind, then how many more tasks there are like them."""
    counts: dict[Kind, int] = {}
    for cause in causes:
        counts[cause.kind] = counts.get(cause.kind, 0) + 1
        if counts[cause.kind] <= MOST_ALIKE:
            yield cause
    for kind, count in counts.items():
        if count > MOST_ALIKE:
            more = f"{count - MOST_ALIKE} more tasks of it are like those above ({kind})"
            yield Cause(
                kind=kind, detail=more, remedy=f"ask for one: orchestrator runs explain {number} TASK"
            )


def _going_on() -> Cause:
    return Cause(kind=Kind.GOING_ON, detail="is held back by nothing: its master carries it on")
