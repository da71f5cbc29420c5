"""Owns who is told of what: the rules of a workflow's `alerts`, and what becomes of one fact for each target."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from orchestrator.core.command import Alert

EVENTS = (
    "workflow_success",
    "workflow_failure",
    "workflow_timeout",
    "task_failure",
    "task_timeout",
    "task_lost",
    "queue_timeout",
    "check_failed",
    "no_worker",
    "parked",
    "buried",
)

DEPLOYMENT_EVENTS = frozenset({"no_worker", "parked", "buried"})
"""What concerns those who run the deployment, whatever a workflow's author wrote."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_ADDRESS = re.compile(r"[^@\s<>,;\"]+@[^@\s<>,;\"]+")


class Channel(StrEnum):
    """How an alert is delivered; also the `kind` of the delivery's row in the outbox."""

    WEBHOOK = "webhook"
    EMAIL = "email"
    COMMAND = "command"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where an alert is delivered.

    Attributes:
        address: A URL, an address, or the name of a setting `ORCHESTRATOR_ALERT_<NAME>`.
    """

    channel: Channel
    address: str

    def __str__(self) -> str:
        """Render as `webhook:ops`."""
        return f"{self.channel}:{self.address}"

    @property
    def setting(self) -> str | None:
        """The name of the setting that holds the address, if it does not stand here."""
        return self.address if _NAME.fullmatch(self.address) else None


def read_target(text: str) -> Target:
    """Return the target that `text` (`webhook:ops`) names.

    Raises:
        ValueError: It names none; the message says what would be right.
    """
    channel, colon, address = text.partition(":")
    if not colon or channel not in list(Channel):
        raise ValueError("webhook:URL, email:ADDRESS, or one of webhook, email, command with :NAME")
    target = Target(channel=Channel(channel), address=address)
    if (rule := fault(target)) is not None:
        raise ValueError(rule)
    return target


def fault(target: Target) -> str | None:
    """Return what `target` should be, if it is not, as the end of "… is not"."""
    if target.setting is not None:
        return None
    match target.channel:
        case Channel.WEBHOOK:
            right, rule = is_web_address(target.address), "a URL (https://…)"
        case Channel.EMAIL:
            right, rule = is_mail_address(target.address), "an address (ops@example.org)"
        case Channel.COMMAND:
            return "the name of a setting ORCHESTRATOR_ALERT_<NAME>, which holds the command"
    return None if right else f"{rule} or the name of a setting ORCHESTRATOR_ALERT_<NAME>"


def is_web_address(text: str) -> bool:
    """Return whether `text` is an http or https URL with a host."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not re.search(r"\s", text)


def is_mail_address(text: str) -> bool:
    """Return whether `text` is one e-mail address without a display name."""
    return _ADDRESS.fullmatch(text) is not None and text.isascii()


def targets(rules: Iterable[Mapping[str, Any]]) -> list[Target]:
    """Return every target that a workflow's `alerts` name, each once."""
    return list(dict.fromkeys(_target(rule) for rule in rules))


def targets_of(rules: Iterable[Mapping[str, Any]], event: str) -> list[Target]:
    """Return the targets that are to be told of `event`, each once."""
    return targets(rule for rule in rules if event in rule["events"])


def asks_for(rules: Iterable[Mapping[str, Any]], event: str) -> bool:
    """Return whether any rule wants to hear of `event`."""
    return any(event in rule["events"] for rule in rules)


def message(alert: Alert, at: datetime) -> dict[str, Any]:
    """Return what a target is told, JSON-ready.

    Args:
        alert: The fact.
        at: When it was noted, aware UTC.
    """
    details = {name: value for name, value in alert.body.items() if name != "workflow"}
    return {
        "event": alert.kind,
        "key": alert.key,
        "at": at.isoformat().replace("+00:00", "Z"),
        "workflow": alert.body.get("workflow"),
        "workflow_instance_id": alert.workflow_instance_id,
        "details": details,
    }


def deliveries(alert: Alert, at: datetime, told: Iterable[Target]) -> list[Alert]:
    """Return a row of the outbox for each target, so that each is tried, and noted, by itself.

    Args:
        alert: The fact.
        at: When it was noted.
        told: The targets.
    """
    content = message(alert, at)
    return [
        Alert(
            key=f"{alert.key}>{target}",
            slot=alert.slot,
            workflow_instance_id=alert.workflow_instance_id,
            kind=target.channel.value,
            body={"target": target.address, "message": content},
        )
        for target in dict.fromkeys(told)
    ]


def _target(rule: Mapping[str, Any]) -> Target:
    channel = next(one for one in Channel if one in rule)
    return Target(channel=channel, address=str(rule[channel]))
