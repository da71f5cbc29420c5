"""Owns one delivery as its channel sees it, and the words for what went wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from orchestrator.core.alerting import Target
from orchestrator.errors import OrchestratorError


class Undelivered(OrchestratorError):
    """A target did not take an alert, or is not known; the message says why and holds no secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One alert for one target.

    Attributes:
        key: The alert's key: the same in every try.
        at: When the alert was noted, aware UTC: the same in every try.
        message: What the target is told, JSON-ready.
    """

    key: str
    at: datetime
    target: Target
    message: Mapping[str, Any]


class Sender(Protocol):
    """One way to reach people."""

    def send(self, delivery: Delivery, address: str) -> None:
        """Deliver, within a limited time.

        Args:
            delivery: What, and under which key.
            address: The target's URL, mail address or command line.

        Raises:
            Undelivered: It did not arrive, as far as one can know.
        """
        ...
