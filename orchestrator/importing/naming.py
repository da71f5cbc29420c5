"""Owns names on their way in: what our language cannot take becomes the nearest name that it can."""

import re
from collections.abc import Callable, Iterable

from orchestrator.authoring import names
from orchestrator.core.parameters import is_shell_name

_ROOM_FOR_NUMBER = 6


def task_name(name: str) -> str:
    """Return the task name nearest to `name`."""
    return _nearest(name, r"[^\w-]+", names.task_name, "task")


def workflow_name(name: str) -> str:
    """Return the name of a workflow, worker group, connection or environment nearest to `name`."""
    return _nearest(name, r"[^\w.-]+", names.workflow_name, "unnamed")


def parameter_name(name: str) -> str:
    """Return the parameter name nearest to `name`: one that a shell variable may have."""
    nearest = re.sub(r"[^A-Za-z0-9_]", "_", name)[: names.MAX_NAME] or "unnamed"
    return nearest if is_shell_name(nearest) else f"p_{nearest}"


def unique(wanted: Iterable[str], nearest: Callable[[str], str], taken: Iterable[str] = ()) -> dict[str, str]:
    """Return our name for each of `wanted`; no two of them are equal.

    Args:
        wanted: Names as they came; those that fit keep their name, whatever becomes of the others.
        nearest: What makes a fitting name out of any.
        taken: Names that no changed name may take.
    """
    wanted = list(dict.fromkeys(wanted))
    found = {name: name for name in wanted if nearest(name) == name}
    taken = {*taken, *found}
    for name in wanted:
        if name not in found:
            found[name] = _free(nearest(name), taken)
            taken.add(found[name])
    return found


def _nearest(name: str, wrong: str, check: Callable[[str], str], fallback: str) -> str:
    try:
        return check(name)
    except ValueError:
        return re.sub(wrong, "_", name.strip()).lstrip(".-")[: names.MAX_NAME] or fallback


def _free(name: str, taken: set[str]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name[: names.MAX_NAME - _ROOM_FOR_NUMBER]}_{number}"
    return free
