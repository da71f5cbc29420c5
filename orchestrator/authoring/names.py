"""Owns what names may look like, how large a definition may be, and the guess at what a wrong name meant."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

MAX_TASKS = 100_000
MAX_NEEDS = 1_000_000
MAX_NAME = 100
MAX_ELEMENTS = 10_000
"""Of a map, whatever `ORCHESTRATOR_MAP_LIMIT` says, which cannot say more."""
MAX_DOCUMENT_BYTES = 16 * 1024 * 1024
MAX_FAULTS = 1000
MOST_LISTED = 10

_TASK = re.compile(rf"\w[\w-]{{0,{MAX_NAME - 1}}}")
_WORKFLOW = re.compile(rf"\w[\w.-]{{0,{MAX_NAME - 1}}}")


def task_name(name: str) -> str:
    """Return `name` if a task can have it.

    Raises:
        ValueError: It is too long, or holds what a reference or a key cannot hold.
    """
    if not _TASK.fullmatch(name):
        raise ValueError(f"a name has 1 to {MAX_NAME} letters, digits, '_' and '-', and no '-' in front")
    return name


def workflow_name(name: str) -> str:
    """Return `name` if a workflow, worker group, pool, environment or connection can have it.

    Raises:
        ValueError: It is too long, or holds other characters than a name may.
    """
    if not _WORKFLOW.fullmatch(name):
        raise ValueError(
            f"a name has 1 to {MAX_NAME} letters, digits, '_', '.' and '-', and begins with none of . -"
        )
    return name


def which(name: str, known: Iterable[str]) -> str:
    """Return the guess at what `name` meant, or, where nothing is near, what there is: ` (there are: a, b)`."""
    there_are = list(known)
    more = len(there_are) - MOST_LISTED
    listed = ", ".join(there_are[:MOST_LISTED]) + (f" and {more} more" if more > 0 else "")
    return did_you_mean(name, there_are) or (f" (there are: {listed})" if listed else "")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ` (did you mean 'x'?)` for the known name nearest to `name`, or nothing."""
    near = get_close_matches(name, list(known)[:10_000], n=1, cutoff=0.6)
    return f" (did you mean '{near[0]}'?)" if near else ""
