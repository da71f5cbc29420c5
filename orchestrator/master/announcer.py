"""Owns telling alerts: each is written to the log, and becomes a delivery for each target that wants to know."""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Protocol

import structlog

from orchestrator.core.alerting import DEPLOYMENT_EVENTS, Target, deliveries, targets_of
from orchestrator.core.command import Alert
from orchestrator.crash import crash_point
from orchestrator.master.alerts import Bulletin
from orchestrator.store.outbox import OutboxEntry

log = structlog.get_logger("orchestrator.alerts")

AT_ONCE = 100
LEVELS = {
    "workflow_success": logging.INFO,
    "task_failure": logging.WARNING,
    "task_lost": logging.WARNING,
}
"""How loud the log is about what somebody asked to hear of; everything else asks somebody to act."""


class OutboxSource(Protocol):
    """The outbox table."""

    def due(self, slots: Collection[int], limit: int) -> Sequence[OutboxEntry]:
        """Return the oldest alerts of these slots that nobody was told of."""
        ...

    def rules(self, runs: Collection[int]) -> Mapping[int, Sequence[Mapping[str, Any]]]:
        """Return the `alerts` of these runs' definitions, by run."""
        ...

    def tell(self, ids: Collection[int], deliveries: Sequence[Alert]) -> None:
        """Note that these alerts were told, and what is to be delivered; their rows stay: keys refuse repeats."""
        ...


class Announcer:
    """Writes alerts to the log, as `alert` lines, then has them delivered, and notes so only after that.

    Args:
        outbox: The alerts.
        slots: The slots this master owns.
        bulletin: The master's own alerts, which are written first.
        everywhere: Targets of the whole deployment.
    """

    def __init__(
        self,
        outbox: OutboxSource,
        slots: Collection[int],
        bulletin: Bulletin | None = None,
        everywhere: Sequence[Target] = (),
    ) -> None:
        self._outbox = outbox
        self._slots = tuple(slots)
        self._bulletin = bulletin
        self._everywhere = tuple(everywhere)

    def step(self) -> int:
        """Tell what is due; return how many alerts that were.

        Raises:
            StoreUnavailable: The database is away; what was told and not noted is told again, under its key.
        """
        if self._bulletin is not None:
            self._bulletin.step()
        rows = self._outbox.due(self._slots, AT_ONCE)
        if not rows:
            return 0
        for row in rows:
            _write(row)
        crash_point("alerts.after_told")
        runs = {row.workflow_instance_id for row in rows if row.workflow_instance_id is not None}
        rules = self._outbox.rules(runs)
        self._outbox.tell([row.id for row in rows], [one for row in rows for one in self._owed(row, rules)])
        return len(rows)

    def _owed(self, row: OutboxEntry, rules: Mapping[int, Sequence[Mapping[str, Any]]]) -> Iterator[Alert]:
        """Yield a row for each target of one alert; what nobody understands is told to the log alone."""
        try:
            told = targets_of(rules.get(row.workflow_instance_id or 0, ()), row.kind)
        except Exception:  # a broken definition must not end the thread, and with it the master
            log.exception("alerts.failed", keys=[row.key])
            told = []
        if row.kind in DEPLOYMENT_EVENTS:
            told = [*told, *self._everywhere]
        yield from deliveries(row.alert, row.created_at, told)


def _write(row: OutboxEntry) -> None:
    log.log(
        LEVELS.get(row.kind, logging.ERROR),
        f"alert.{row.kind}",  # noqa: G004  the kinds are a closed list; the README names them
        key=row.key,
        workflow_instance_id=row.workflow_instance_id,
        **row.body,
    )
