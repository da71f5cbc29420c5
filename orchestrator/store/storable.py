"""Owns what a database can hold: PostgreSQL knows no NUL characters, and UTF-8 no lone surrogates."""

from collections.abc import Mapping
from typing import Any

from orchestrator.errors import UserError


def check_storable(value: Any, what: str) -> None:
    """Return if every text in `value` can be stored.

    Args:
        value: JSON-ready containers.
        what: What the value is, for the message.

    Raises:
        UserError: A text holds a NUL character or half of a character.
    """
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            _check_text(one, what)
        elif isinstance(one, Mapping):
            waiting.extend(one.keys())
            waiting.extend(one.values())
        elif isinstance(one, list | tuple):
            waiting.extend(one)


def _check_text(text: str, what: str) -> None:
    if "\x00" in text:
        raise UserError(f"{what}: a text holds a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UserError(f"{what}: a text holds half of a character (a lone surrogate)") from None
