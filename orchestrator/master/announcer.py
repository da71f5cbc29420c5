"""Owns the delivery of alerts: outbox rows are told to people at least once, whatever crashes."""

from collections.abc import Collection, Sequence
from typing import Protocol

import structlog

from orchestrator.master.alerts import Bulletin
from orchestrator.store.outbox import OutboxEntry

log = structlog.get_logger("orchestrator.alerts")

AT_ONCE = 100


class OutboxSource(Protocol):
    """The outbox table."""

    def due(self, slots: Collection[int], limit: int) -> Sequence[OutboxEntry]:
        """Return the oldest alerts of these slots that are due."""
        ...

    def delivered(self, ids: Sequence[int]) -> None:
        """Note that these alerts were told; their rows stay, so that their keys refuse repeats."""
        ...


class Announcer:
    """Writes alerts to the log, as `alert` lines, and notes so only after that.

    Args:
        outbox: The alerts.
        slots: The slots this master owns.
        bulletin: The master's own alerts, which are written first.
    """

    def __init__(
        self, outbox: OutboxSource, slots: Collection[int], bulletin: Bulletin | None = None
    ) -> None:
        self._outbox = outbox
        self._slots = tuple(slots)
        self._bulletin = bulletin

    def step(self) -> int:
        """Tell what is due; return how many alerts that were.

        Raises:
            StoreUnavailable: The database is away; what was told and not noted is told again, under its key.
        """
        if self._bulletin is not None:
            self._bulletin.step()
        rows = self._outbox.due(self._slots, AT_ONCE)
        for row in rows:
            log.error(
                f"alert.{row.kind}",  # noqa: G004  the kinds are a closed list; the README names them
                key=row.key,
                workflow_instance_id=row.workflow_instance_id,
                **row.body,
            )
        if rows:
            self._outbox.delivered([row.id for row in rows])
        return len(rows)
