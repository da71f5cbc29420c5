"""Owns the doctor's check of alerts: targets that nobody knows, deliveries that fail."""

from collections.abc import Iterator

from orchestrator.alerting import book
from orchestrator.config import named_settings
from orchestrator.service.alert_targets import REMEDY
from orchestrator.service.backend import Backend
from orchestrator.service.findings import Finding, fine, warning


def check_alerts(backend: Backend) -> Iterator[Finding]:
    """Targets of the deployment that nobody knows, and alerts that do not arrive."""
    problems = [*_unknown_everywhere(backend), *_undelivered(backend)]
    yield from problems or [fine("alerts", "all delivered")]


def _unknown_everywhere(backend: Backend) -> Iterator[Finding]:
    for target in book.unknown(backend.settings.alert_targets, named_settings("ALERT")):
        yield warning(
            "alerts",
            f"ORCHESTRATOR_ALERTS names {target}, which is not known here",
            REMEDY.format(variable=book.variable(target.address)),
        )


def _undelivered(backend: Backend) -> Iterator[Finding]:
    for one in backend.queries.undelivered_alerts():
        yield warning(
            "alerts",
            f"{one['waiting']} for {book.shown(one['target'])} did not arrive, the oldest of"
            f" {one['since']:%Y-%m-%d %H:%M:%S} UTC: {one['error']}",
            "mend the target, or its setting on the masters; they go on trying",
        )
