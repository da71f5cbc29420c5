"""Owns the request: a person's wish about a parked lane."""

from dataclasses import dataclass
from enum import StrEnum


class Wish(StrEnum):
    """What can be asked about a parked lane."""

    RETRY = "retry"
    BURY = "bury"


@dataclass(frozen=True, slots=True)
class Request:
    """A wish about one lane."""

    wish: Wish
    workflow_instance_id: int
