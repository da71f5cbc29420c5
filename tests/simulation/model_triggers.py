"""Owns the model's reading of SEMANTICS section 4: who depends on whom, and which task runs when.

It shares no code with the product: a slip in one of them shows as a difference.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from graphlib import TopologicalSorter

from orchestrator.core.definition import Trigger, WorkflowDefinition


class Outcome(StrEnum):
    """How a task ended, for those behind it."""

    SUCCESS = "success"
    FAILED = "failed"
    SKIPPED = "skipped"
    NOT_RUN = "not run"
    OPEN = "open"
    """The run was stopped before it came to this."""


class Word(StrEnum):
    """What a trigger says."""

    RUN = "runs"
    SKIP = "is skipped"
    NOT_RUN = "is not run"
    WAIT = "waits"


_BAD = {Outcome.FAILED, Outcome.NOT_RUN}


def wired(definition: WorkflowDefinition) -> Mapping[str, tuple[str, ...]]:
    """Return the upstreams of every task that is not disabled, upstreams before downstreams.

    A disabled task is a wire: whoever needs it needs what it needs.
    """
    needs = {task.name: task.needs for task in definition.tasks}
    disabled = {task.name for task in definition.tasks if task.disabled}
    ends: dict[str, tuple[str, ...]] = {}
    for name in TopologicalSorter(needs).static_order():
        found: dict[str, None] = {}
        for need in needs[name]:
            found.update(dict.fromkeys(ends[need] if need in disabled else (need,)))
        ends[name] = tuple(found)
    return {name: sources for name, sources in ends.items() if name not in disabled}


def word_of(trigger: Trigger, upstreams: Sequence[Outcome]) -> Word:
    """Return what a trigger says about a task whose upstreams ended like this; without upstreams it runs."""
    seen = set(upstreams)
    if not seen:
        return Word.RUN
    if trigger is Trigger.ONE_SUCCESS and Outcome.SUCCESS in seen:
        return Word.RUN
    if trigger is Trigger.ONE_FAILED and seen & _BAD:
        return Word.RUN
    if Outcome.OPEN in seen:
        return Word.WAIT
    return _word_when_done(trigger, seen)


def _word_when_done(trigger: Trigger, seen: set[Outcome]) -> Word:
    if trigger is Trigger.ALL_DONE:
        return Word.RUN
    if trigger is Trigger.ONE_FAILED:
        return Word.SKIP
    if trigger is Trigger.NONE_FAILED:
        return Word.NOT_RUN if seen & _BAD else Word.RUN
    if trigger is Trigger.ALL_SUCCESS and Outcome.SUCCESS in seen and not seen & _BAD:
        return Word.RUN
    return Word.SKIP if seen == {Outcome.SKIPPED} else Word.NOT_RUN
