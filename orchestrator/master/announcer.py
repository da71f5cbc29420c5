"""Owns the delivery of alerts: outbox rows are told to people at least once, whatever crashes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog

log = structlog.get_logger("orchestrator.alerts")

AT_ONCE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """One alert that waits.

    Attributes:
        key: The same for every delivery of it: whoever gets it twice can tell.
    """

    id: int
    key: str
    kind: str
    workflow_instance_id: int | None
    body: Mapping[str, Any] = field(default_factory=dict)


class OutboxSource(Protocol):
    """The outbox table."""

    def due(self, slots: Iterable[int], limit: int) -> Sequence[OutboxRow]:
        """Return the oldest alerts of these slots that are due."""
        ...

    def delivered(self, ids: Sequence[int]) -> None:
        """Delete alerts that were told."""
        ...


class Announcer:
    """Writes alerts to the log, as `alert` lines; the row goes only after that.

    Args:
        outbox: The alerts.
        slots: The slots this master owns.
    """

    def __init__(self, outbox: OutboxSource, slots: Iterable[int]) -> None:
        self._outbox = outbox
        self._slots = tuple(slots)

    def step(self) -> int:
        """Tell what is due; return how many alerts that were.

        Raises:
            StoreUnavailable: The database is away; what was told and not noted is told again, under its key.
        """
        rows = self._outbox.due(self._slots, AT_ONCE)
        for row in rows:
            log.error(
                f"alert.{row.kind}",
                key=row.key,
                workflow_instance_id=row.workflow_instance_id,
                **row.body,
            )
        if rows:
            self._outbox.delivered([row.id for row in rows])
        return len(rows)
