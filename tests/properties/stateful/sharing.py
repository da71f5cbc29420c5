"""Owns the reference model's reading of SEMANTICS section 8: what runs share, and what must be left of nobody."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from tests.properties.stateful.picture import Attempt, Picture

UNDER_WAY = frozenset({"RUNNING", "PAUSING", "STOPPING"})
HOLDS_SLOT = frozenset({"SUBMITTED", "DISPATCHED", "RUNNING"})


def pool_faults(
    seen: Picture, pools: Mapping[str, int], pool_of: Callable[[Attempt], str | None]
) -> Iterator[str]:
    """Yield pools with too many holders, holders that need no slot, and who goes without one."""
    for pool, most in pools.items():
        if (taken := sum(one == pool for one, _ in seen.slots)) > most:
            yield f"pool {pool}: {taken} slots are taken of {most}"
    holders = {key for _, key in seen.slots}
    for key in holders:
        if seen.attempts[key].state not in HOLDS_SLOT:
            yield f"{key} is {seen.attempts[key].state} and has a slot of a pool"
    for one in seen.attempts.values():
        if one.state in {"DISPATCHED", "RUNNING"} and pool_of(one) and one.key not in holders:
            yield f"{one.key} is {one.state} without a slot of its pool"


def turn_faults(seen: Picture, serial: AbstractSet[int]) -> Iterator[str]:
    """Yield serial workflows of which two runs have the turn, and runs that are under way without it."""
    holders = Counter(run.workflow for run in seen.runs.values() if run.has_turn)
    for run in (run for run in seen.runs.values() if run.id in serial):
        if holders[run.workflow] > 1:
            yield f"{holders[run.workflow]} runs of {run.workflow} have the turn at a time"
        if run.state in UNDER_WAY and not run.has_turn:
            yield f"run {run.id} is {run.state} without its turn"


def rest_faults(seen: Picture) -> Iterator[str]:
    """Yield what is wrong when nothing is to happen any more."""
    for run in seen.runs.values():
        if not run.is_over:
            yield f"run {run.id} is left {run.state}"
        if run.has_turn:
            yield f"run {run.id} is left with the turn"
    for attempt in seen.attempts.values():
        if attempt.is_live:
            yield f"{attempt.key} is left {attempt.state}"
    yield from (f"{key} is left with a slot of {pool}" for pool, key in seen.slots)
