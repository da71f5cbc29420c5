"""Owns where the addresses of targets are found: as written, or in the settings under a name."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from shlex import quote
from typing import Protocol

from orchestrator.alerting.delivery import Undelivered
from orchestrator.config import setting_name
from orchestrator.core import secrets
from orchestrator.core.alerting import Channel, Target, is_mail_address, is_web_address
from orchestrator.setting_faults import mask

TICKET = "alert"
"""Settings are written by those who know the secrets: their own words are marked and resolved at once."""


class SecretSource(Protocol):
    """Where secrets come from."""

    def find(self, name: str) -> str:
        """Return the value of the secret `name`, or raise SecretUnavailable."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressBook:
    """The targets that this deployment knows.

    Attributes:
        named: Values of `ORCHESTRATOR_ALERT_<NAME>`, by NAME.
        secrets: Resolves `secret://name` in them.
    """

    named: Mapping[str, str] = field(repr=False)
    secrets: SecretSource

    def address(self, target: Target) -> str:
        """Return the URL, mail address or command line of `target`, with its secrets.

        Raises:
            Undelivered: The settings know no such name, or no right address under it.
            SecretUnavailable: A secret in it is not known here.
        """
        name = target.setting
        if name is None:
            return target.address
        value = self.named.get(setting_name(name), "").strip()
        if not value:
            raise Undelivered(f"{variable(name)} is not set on this master")
        written = (
            quote if target.channel is Channel.COMMAND else str
        )  # a secret stays one word of its command
        found = resolve(value, lambda secret: written(self.secrets.find(secret)))
        if not _fits(target.channel, found):
            raise Undelivered(f"{variable(name)} is {_RULES[target.channel]}")
        return found


_RULES = {
    Channel.WEBHOOK: "no URL (https://…)",
    Channel.EMAIL: "no address (ops@example.org)",
    Channel.COMMAND: "no command",
}


def shown(target: str) -> str:
    """Return a target, written as `str(target)` does, as people may see it: passwords in URLs are masked."""
    channel, colon, address = target.partition(":")
    return f"{channel}{colon}{mask(address)}"


def variable(name: str) -> str:
    """Return the environment variable that holds the address of the target `name`."""
    return f"ORCHESTRATOR_ALERT_{setting_name(name)}"


def unknown(targets: Iterable[Target], named: Mapping[str, str]) -> list[Target]:
    """Return the targets whose names the settings do not know."""
    return [one for one in targets if one.setting and not named.get(setting_name(one.setting), "").strip()]


def resolve(value: str, secret: Callable[[str], str]) -> str:
    """Return a setting's value with its secrets.

    Args:
        value: What the setting says.
        secret: Returns a secret by its name.

    Raises:
        SecretUnavailable: One is not known here.
    """
    resolved: str = secrets.resolve(secrets.mark(value, TICKET), TICKET, secret)
    return resolved


def _fits(channel: Channel, address: str) -> bool:
    match channel:
        case Channel.WEBHOOK:
            return is_web_address(address)
        case Channel.EMAIL:
            return is_mail_address(address)
        case Channel.COMMAND:
            return bool(address)
