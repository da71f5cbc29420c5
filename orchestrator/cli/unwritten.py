"""Owns what `runs logs` says of attempts that no worker runs: they write nothing, and others tell of them."""

from collections.abc import Mapping
from shlex import quote
from typing import Any

from orchestrator.core.elements import MAP
from orchestrator.core.logic import LOGIC_TYPES, SUB_WORKFLOW


def what_to_read(number: int, task: Mapping[str, Any], *, follow: bool = False) -> str | None:
    """Return where to read of an attempt that has no log of its own, or `None` for one that a worker has run.

    Args:
        number: The run.
        task: The attempt, as an element of `runs show`.
        follow: What is written is wanted as it is written.
    """
    name, explain = task["name"], f"orchestrator runs explain {number} {quote(task['name'])}"
    if task["type"] not in LOGIC_TYPES:
        return None if task["started_at"] else f"{name} has not run{_before(number, task)}: {explain}"
    if task["type"] == SUB_WORKFLOW and task["child"] is not None:
        logs = f"orchestrator runs logs {task['child']}{' --follow' if follow else ''}"
        return f"{name} is run {task['child']}, which has its logs: {logs}"
    if task["type"] == SUB_WORKFLOW:
        return f"{name} has started no run: {explain}"
    if task["type"] == MAP:
        return f"{name} is a map without elements: {explain}"
    return f"{name} ({task['type']}) is decided by the master, and no program writes a log: {explain}"


def _before(number: int, task: Mapping[str, Any]) -> str:
    """Return where the attempt before can be read, if there was one: people who ask for a log want its end."""
    before = task["attempt"] - 1
    if before < 1:
        return ""
    return (
        f" in this attempt (before: orchestrator runs logs {number} {quote(task['name'])} --attempt {before})"
    )


def is_worth_a_line(task: Mapping[str, Any]) -> bool:
    """Return whether somebody who reads the logs of all tasks wants to know where this one's are."""
    return task["type"] == SUB_WORKFLOW and task["child"] is not None
