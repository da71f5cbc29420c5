"""Owns the reference model's tables of states (SEMANTICS section 2)."""

from collections.abc import Mapping

from tests.edges import TASK_TABLE


def _closed(edges: Mapping[str, str]) -> dict[str, set[str]]:
    """Return what can be reached from each state in any number of steps: one commit may hold several."""
    reach = {state: set(after.split()) for state, after in edges.items()}
    for _ in reach:
        for after in reach.values():
            after.update(*(reach[one] for one in set(after)))
    return reach


ATTEMPT_MOVES = _closed(TASK_TABLE)
BEGUN = frozenset({"DISPATCHED", "RUNNING", "SUCCESS", "FAILURE"})
GOES = frozenset({"SUBMITTED", "DELAYED", "DISPATCHED", "RUNNING"})
SPECIAL = ("lost", "timeout", "queue", "not met")
"""How the reasons begin of failures that are not counted like others."""
