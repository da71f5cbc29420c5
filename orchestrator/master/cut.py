"""Owns what is cut off of a batch: a lane that failed, and who takes it out of the way of the others."""

from dataclasses import dataclass
from typing import Protocol

from orchestrator.master.items import InstanceItem


@dataclass(slots=True)
class Cut:
    """A lane whose item raised: it and everything behind it stays out of the batch."""

    error: Exception
    items: list[InstanceItem]


class Park(Protocol):
    """Takes a failing lane out of the way of the others (R7)."""

    def __call__(self, workflow_instance_id: int, cut: Cut, /) -> None:
        """Keep the lane and what was cut off of it for a later try."""
        ...
