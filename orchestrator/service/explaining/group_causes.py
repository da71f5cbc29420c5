"""Owns what a worker group has to do with it: nobody serves it, or everybody is busy."""

from orchestrator.core.instance import TaskInstance
from orchestrator.core.pool import gives_way
from orchestrator.service.explaining.causes import Cause, Kind, named
from orchestrator.service.explaining.facts import Facts


def unserved(facts: Facts, attempt: TaskInstance) -> Cause | None:
    """Return the cause that nobody takes work for the attempt's group, with who could; `None` if somebody does."""
    group = facts.group(attempt.task)
    if facts.fleet is None or facts.fleet.taking(group):
        return None
    lost = [one.name for one in facts.fleet.serving(group) if one.is_lost]
    draining = [one.name for one in facts.fleet.serving(group) if one.is_draining and not one.is_lost]
    drains = f"; draining: {named(draining)}" if draining else ""
    silent = f"; lost: {named(lost)}" if lost else ""
    return Cause(
        kind=Kind.GROUP_UNSERVED,
        task=attempt.task,
        detail=f"no worker takes tasks of group '{group}'{drains}{silent}{_gives_way(facts, attempt)}",
        since=attempt.dispatched_at or attempt.submitted_at,
        remedy=f"orchestrator workers resume {draining[0]}"
        if draining
        else f"orchestrator worker --group {group}",
    )


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
