"""Owns how a secret is named in a definition, and how the name comes to the worker, which alone knows the value.

A definition, or a start parameter, names a secret as a word: `secret://name`. When an attempt is dispatched, each
such word is *marked* with the ticket of that dispatch. Only marked words are resolved: a text that merely looks
like one, say in an upstream's output, stays the text that it is, whoever wrote it.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

SCHEME = "secret://"

_NO_WORD = (
    "a secret is a word of its own, secret://name, its name made of letters, digits, '_', '.' and '-'; "
    'elsewhere write params: {token: "secret://name"} and ${token}'
)
_NAME = r"[A-Za-z_][A-Za-z0-9_.-]*"
_BEGINS_WITH_NAME = re.compile(_NAME)
_WRITTEN = re.compile(rf"(?<!\S){SCHEME}({_NAME})(?!\S)")


def mark(value: Any, ticket: str) -> Any:
    """Return `value`, as somebody wrote it, with its secrets marked for one dispatch, at any depth.

    Args:
        value: A text, or lists and maps of texts; other values stay as they are.
        ticket: The dispatch's random ticket.
    """
    return _replaced(value, lambda text: _WRITTEN.sub(rf"{_marked(ticket)}\1", text), SCHEME)


def resolve(value: Any, ticket: str, secret: Callable[[str], str]) -> Any:
    """Return `value` with its marked secrets replaced, at any depth.

    Args:
        value: What `mark` returned, resolved meanwhile.
        ticket: The ticket it was marked with.
        secret: Returns a secret by its name.
    """
    marked = _marked(ticket)  # another one for every dispatch: no pattern is made of it
    return _replaced(value, lambda text: _resolved(text, marked, secret), marked)


def unmark(value: Any, ticket: str) -> Any:
    """Return `value` with its marked secrets as they were written."""
    return resolve(value, ticket, lambda name: f"{SCHEME}{name}")


def find_faults(text: str) -> list[str]:
    """Return what is wrong with the way in which `text` names secrets."""
    return [] if text.count(SCHEME) == len(_WRITTEN.findall(text)) else [_NO_WORD]


def _marked(ticket: str) -> str:
    return f"secret+{ticket}://"


def _resolved(text: str, marked: str, secret: Callable[[str], str]) -> str:
    before, *named = text.split(marked)
    parts = [before]
    for rest in named:
        name = _BEGINS_WITH_NAME.match(rest)
        parts.append(secret(name[0]) + rest[name.end() :] if name else marked + rest)
    return "".join(parts)


def _replaced(value: Any, replace: Callable[[str], str], trace: str) -> Any:
    match value:
        case str():
            return replace(value) if trace in value else value
        case list() | tuple():
            return [_replaced(one, replace, trace) for one in value]
        case Mapping():
            return {key: _replaced(one, replace, trace) for key, one in value.items()}
        case _:
            return value
