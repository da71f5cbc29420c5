"""The address book: names become addresses, secrets are resolved, what is missing is named."""

import pytest

from orchestrator.alerting.book import AddressBook, shown, unknown
from orchestrator.alerting.delivery import Undelivered
from orchestrator.core.alerting import Channel, Target
from orchestrator.secret_source import SecretUnavailable, WorkerSecrets

SECRETS = WorkerSecrets(given={"HOOK": "https://h/token", "WORD": "pass word"}, place="this master")
BOOK = AddressBook(
    named={
        "OPS": "secret://hook",
        "TEAM_A": "a@b.c",
        "PAGER": "page --key secret://word",
        "ODD": "secret://nothing",
        "BLANK": " ",
    },
    secrets=SECRETS,
)


def target(channel: str, address: str) -> Target:
    """Return a target."""
    return Target(channel=Channel(channel), address=address)


@pytest.mark.parametrize(
    ("channel", "address", "found"),
    [
        ("webhook", "ops", "https://h/token"),
        ("webhook", "http://elsewhere/", "http://elsewhere/"),
        ("email", "team-a", "a@b.c"),
        ("email", "x@y.z", "x@y.z"),
        ("command", "pager", "page --key 'pass word'"),
    ],
)
def test_names_become_addresses(channel: str, address: str, found: str) -> None:
    """As a setting says; a secret in a command line stays one word."""
    assert BOOK.address(target(channel, address)) == found


@pytest.mark.parametrize(
    ("channel", "name", "said"),
    [
        ("webhook", "nobody", "ORCHESTRATOR_ALERT_NOBODY is not set on this master"),
        ("webhook", "blank", "ORCHESTRATOR_ALERT_BLANK is not set"),
        ("webhook", "team-a", "ORCHESTRATOR_ALERT_TEAM_A is no URL"),
        ("email", "ops", "ORCHESTRATOR_ALERT_OPS is no address"),
    ],
)
def test_what_is_missing_or_wrong_is_named(channel: str, name: str, said: str) -> None:
    """The variable, and not what stands in it."""
    with pytest.raises(Undelivered, match=said) as caught:
        BOOK.address(target(channel, name))
    assert "token" not in str(caught.value)


def test_a_missing_secret_is_named() -> None:
    """With the place where it is missed."""
    with pytest.raises(SecretUnavailable, match="'nothing' is not known on this master"):
        BOOK.address(target("webhook", "odd"))


def test_unknown_names_are_found_before_anything_is_sent() -> None:
    """Addresses that stand in the definition need no setting."""
    asked = [
        target("webhook", "ops"),
        target("command", "no"),
        target("email", "a@b.c"),
        target("email", "blank"),
    ]

    assert [one.address for one in unknown(asked, BOOK.named)] == ["no", "blank"]


def test_passwords_in_urls_are_not_shown() -> None:
    """In logs and in the doctor's words."""
    assert shown("webhook:https://me:hidden@h/x") == "webhook:https://me:******@h/x"
    assert shown("email:a@b.c") == "email:a@b.c"
