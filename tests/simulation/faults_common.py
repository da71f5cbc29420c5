"""Owns what all faults share: the choice of a target."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from tests.simulation.plan import PlannedFault
from tests.simulation.world import World

T = TypeVar("T")
Fault = Callable[[World, PlannedFault], str]


MENDED_S = 12.0
"""So long after a fault a new master has taken over, or every connection stands again: a lease, and a second."""


class NoTarget(Exception):
    """There is nothing that this fault could hit now."""


def choose(choices: Sequence[T], fault: PlannedFault) -> T:
    """Return the one of `choices` that the plan's dice mean.

    Raises:
        NoTarget: There are none.
    """
    if not choices:
        raise NoTarget
    return choices[int(fault.pick * len(choices))]
