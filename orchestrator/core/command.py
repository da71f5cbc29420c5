"""Owns commands: requests of a person or a schedule (and mail between instances), as they are stored."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class CommandKind(StrEnum):
    """What is asked of a workflow instance."""

    START = "START"
    PAUSE = "PAUSE"
    RESUME = "RESUME"
    STOP = "STOP"
    SIGNAL = "SIGNAL"
    RECOVER = "RECOVER"
    RERUN = "RERUN"
    FORCE_SUCCESS = "FORCE_SUCCESS"
    CHILD_CHANGED = "CHILD_CHANGED"
    GRANTED = "GRANTED"
    WAKE = "WAKE"
    PASS_ON = "PASS_ON"  # noqa: S105  no password


MEETS_ENDED = frozenset({CommandKind.RECOVER, CommandKind.RERUN, CommandKind.FORCE_SUCCESS})
"""Kinds that change a run that has ended; it is loaded with its attempts for them."""

GIVEN_UP = "given_up"
"""Key in the body of mail that stands for a command which a person gave up: why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One row of `command`: deleted in the transaction that applies it."""

    id: int
    slot: int
    workflow_instance_id: int
    kind: CommandKind
    body: Mapping[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A command from one instance to another, to be inserted in the sender's transaction.

    The store knows the receiver's slot.
    """

    workflow_instance_id: int
    kind: CommandKind
    body: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A row of `outbox`: something people are told at least once.

    Attributes:
        key: Idempotency key, unique: a second row for the same fact is refused by the database.
        kind: `workflow_failure`, `workflow_timeout`, `task_timeout`, `parked`, `buried`, …
    """

    key: str
    slot: int
    workflow_instance_id: int | None
    kind: str
    body: Mapping[str, Any] = field(default_factory=dict)
