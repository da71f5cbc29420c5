"""Owns what a worker group has to do with it: nobody serves it, or everybody is busy."""

from collections.abc import Sequence

from orchestrator.core.instance import TaskInstance
from orchestrator.core.pool import gives_way
from orchestrator.service.explaining.causes import Cause, Kind, named
from orchestrator.service.explaining.facts import Facts


def unserved(facts: Facts, attempt: TaskInstance) -> Cause | None:
    """Return the cause that nobody takes work for the attempt's group, with who could; `None` if somebody does."""
    group = facts.group(attempt.task)
    if facts.fleet is None or facts.fleet.taking(group):
        return None
    serving = list(facts.fleet.serving(group))
    lost = [one.name for one in serving if one.is_lost]
    draining = [one.name for one in serving if one.is_draining and not one.is_lost]
    cut_off = [one.name for one in serving if one.is_cut_off and not one.is_lost]
    told = (("draining", draining), ("without the broker", cut_off), ("lost", lost))
    who = "".join(f"; {word}: {named(names)}" for word, names in told if names)
    return Cause(
        kind=Kind.GROUP_UNSERVED,
        task=attempt.task,
        detail=f"no worker takes tasks of group '{group}'{who}{_gives_way(facts, attempt)}",
        since=attempt.dispatched_at or attempt.submitted_at,
        remedy=_remedy(group, draining, cut_off),
    )


def _remedy(group: str, draining: Sequence[str], cut_off: Sequence[str]) -> str:
    if draining:
        return f"orchestrator workers resume {draining[0]}"
    if cut_off:
        return f"start the broker, or correct ORCHESTRATOR_BROKER_URL where {cut_off[0]} runs"
    return f"orchestrator worker --group {group}"


def _gives_way(facts: Facts, attempt: TaskInstance) -> str:
    task = facts.run.graph.tasks[attempt.task]
    return f"; until then others may have its slot of pool '{task.pool}'" if gives_way(task, attempt) else ""


def places(facts: Facts, group: str) -> str:
    """Return how many of a group's places are taken, in brackets; nothing where that is unknown."""
    taking = facts.fleet.taking(group) if facts.fleet else []
    if not taking:
        return ""
    busy, capacity = sum(len(one.running) for one in taking), sum(one.capacity for one in taking)
    return f" ({busy} of {capacity} places taken)"
