"""Secrets are words that somebody wrote; only those are marked, and only marked ones are resolved."""

import pytest

from orchestrator.core import secrets

TICKET = "ab12"


def resolved(value: object) -> object:
    """Return `value` with each marked secret as `<name>`."""
    return secrets.resolve(value, TICKET, lambda name: f"<{name}>")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("secret://token", "<token>"),
        ("Bearer secret://api.token-2", "Bearer <api.token-2>"),
        ({"a": ["secret://x", 1, None]}, {"a": ["<x>", 1, None]}),
        ("no secret", "no secret"),
        ("https://h/?t=secret://x", "https://h/?t=secret://x"),
        (7, 7),
    ],
)
def test_a_written_secret_is_a_word(written: object, expected: object) -> None:
    """Marked and resolved at any depth; inside a longer word it is text."""
    assert resolved(secrets.mark(written, TICKET)) == expected


@pytest.mark.parametrize("text", ["secret://token", "secret+other://token", "secret+://token"])
def test_what_nobody_marked_is_text(text: str) -> None:
    """An upstream's output cannot ask for a secret: it does not know the ticket."""
    assert resolved(text) == text


def test_a_resolved_value_is_not_read_again() -> None:
    """A secret whose value looks like a marked secret stays that text."""
    marked = secrets.mark("secret://a", TICKET)

    assert secrets.resolve(marked, TICKET, lambda _: f"secret+{TICKET}://b") == f"secret+{TICKET}://b"


def test_two_secrets_may_touch() -> None:
    """A text that is put together from two parameters has them side by side: neither takes of the other."""
    marked = "".join(secrets.mark(word, TICKET) for word in ("secret://a", "secret://b"))

    assert resolved(f"{marked}!") == "<a><b>!"


def test_unmark_gives_back_what_was_written() -> None:
    """For people, and for tests of users."""
    assert secrets.unmark(secrets.mark({"a": "x secret://b"}, TICKET), TICKET) == {"a": "x secret://b"}


@pytest.mark.parametrize(
    ("text", "count"),
    [("secret://a secret://b", 0), ("x=secret://a", 1), ("secret://", 1), ("secret://${x}", 1)],
)
def test_what_looks_like_a_secret_and_is_none_is_a_fault(text: str, count: int) -> None:
    """It would silently stay a text otherwise."""
    assert len(secrets.find_faults(text)) == count
