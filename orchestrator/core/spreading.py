"""Owns how a map goes on: elements begin while there is room; the group ends, or is held, when all are quiet."""

from collections.abc import Callable

from orchestrator.core import maps
from orchestrator.core.draft import Draft
from orchestrator.core.elements import (
    FAILED,
    GATHERS,
    Elements,
    element_name,
    group_of,
    has_begun,
    is_left_over,
)
from orchestrator.core.instance import TaskInstance
from orchestrator.core.run import STOPPED_REASON, is_doomed, is_held, is_stopping
from orchestrator.core.status import TaskState

MOST_NAMED = 3
"""So many failed elements stand in the reason of a map."""

Begin = Callable[[Draft, str, TaskInstance | None], None]
"""Creates the attempt of an element; the last argument failed in an earlier attempt of its group."""


def tend_maps(draft: Draft) -> None:
    """Bring the maps that something happened to where their elements say that they are.

    A map that ends may let the run end, which concerns all the others.
    """
    seen = None
    while seen != (draft.head.state, draft.head.ending):
        seen = (draft.head.state, draft.head.ending)
        for group in draft.stirred():
            _tend(draft, group)


def begin_elements(draft: Draft, group: str, most: int, begin: Begin) -> int:
    """Let elements begin for which there is room, in order; return how many rows that took, at most `most`.

    Args:
        draft: The transition.
        group: The map's name.
        most: So many may begin in this step.
        begin: Creates an attempt.
    """
    row, begun = draft.attempt(group), 0
    while row is not None and begun < most and maps.room(draft, group) > 0:
        name = element_name(group, maps.numbers(draft, group).next)
        failed_before = draft.attempt(name)
        if failed_before is not None:
            draft.withdraw(failed_before)
        begin(draft, name, failed_before)
        _move_on(draft, row)
        begun += 1
    maps.owe_elements(draft, group)
    _tend(draft, group)
    return begun


def _move_on(draft: Draft, row: TaskInstance) -> None:
    """Find the next element that is to begin; those between have succeeded in an earlier attempt of the group."""
    elements = maps.numbers(draft, row.task)
    index = elements.next
    while index < elements.total and has_begun(draft.attempt(element_name(row.task, index)), row):
        index += 1
    maps.set_numbers(draft, row.task, elements._replace(next=index))


def _tend(draft: Draft, group: str) -> None:
    row = draft.attempt(group)
    if row is None or row.state is not TaskState.RUNNING or not maps.is_spread(draft, group):
        return
    elements = maps.numbers(draft, group)
    if maps.owe_elements(draft, group) or elements.active:
        return
    doomed = is_doomed(draft.head, draft.definition(group))
    waits = bool(elements.paused) or (elements.next < elements.total and not doomed)
    if waits and is_held(draft.head, group):
        draft.update(row, state=TaskState.PAUSED)
    elif not waits:
        _conclude(draft, row, elements, doomed=doomed)


def _conclude(draft: Draft, row: TaskInstance, elements: Elements, *, doomed: bool) -> None:
    """End a map none of whose elements goes on; the outputs of one that succeeded are put together first."""
    cut_short = doomed and (elements.next < elements.total or elements.killed > 0)
    if cut_short and (is_stopping(draft.head) or not elements.failed):
        draft.end(row, TaskState.KILLED, reason=STOPPED_REASON)
    elif cut_short or elements.failed or elements.killed:
        draft.end(row, TaskState.FAILURE, reason=_reason(draft, row, elements))
    elif row.reason != GATHERS:
        draft.update(row, reason=GATHERS)


def _reason(draft: Draft, row: TaskInstance, elements: Elements) -> str:
    failed = [
        one.task
        for one in draft.waiting(tuple(FAILED))
        if group_of(one.task) == row.task and not is_left_over(one, row)
    ]
    named = ", ".join(sorted(failed, key=lambda name: (len(name), name))[:MOST_NAMED])
    more = f" and {len(failed) - MOST_NAMED} more" if len(failed) > MOST_NAMED else ""
    return f"{len(failed)} of {elements.total} elements failed: {named}{more}"
