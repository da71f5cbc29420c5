"""Owns the words for what is wrong with a setting, and what of a setting may be shown."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, get_args
from urllib.parse import urlsplit, urlunsplit

from pydantic.fields import FieldInfo

PREFIX = "ORCHESTRATOR_"
MASK = "******"
LONGEST_SHOWN = 80

LIMITS = (("gt", "above"), ("ge", "from"), ("le", "at most"))
"""Attributes of a declared limit, and how a sentence says it."""

_NEXT_URL = re.compile(r";(?=[\w+.-]+://)")
_QUERY_SECRET = re.compile(r"([?&](?:password|passwd|pwd|sslpassword)=)[^&#]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingFault:
    """One fault of the settings.

    Attributes:
        names: The settings that take part in it; the first one is named as wrong.
        value: What stands there.
        rule: What would be right, as the end of "… is not".
    """

    names: tuple[str, ...]
    value: object
    rule: str

    def __str__(self) -> str:
        """Render as `VARIABLE: 'value' is not …`, secrets masked."""
        return f"{variable(self.names[0])}: {_shown(self.value)} is not {self.rule}"


def variable(name: str) -> str:
    """Return the environment variable of a setting."""
    return PREFIX + name.upper()


def fault_of(found: Mapping[str, Any], fields: Mapping[str, FieldInfo]) -> SettingFault:
    """Return one of pydantic's errors in our words.

    Args:
        found: The error's details; a validator's own message says what would be right.
        fields: The settings' declarations by name.
    """
    name, value = str(found["loc"][0]), found["input"]
    told = found.get("ctx", {}).get("error")
    return SettingFault(names=(name,), value=value, rule=str(told or _rule(fields[name], str(value))))


def guess(value: str, known: Iterable[str]) -> str:
    """Return ` (did you mean 'x'?)` for the known word nearest to `value`, whatever its case, or nothing."""
    words = {word.lower(): word for word in known}
    near = get_close_matches(value.lower(), words, n=1)
    return f" (did you mean '{words[near[0]]}'?)" if near else ""


def several_urls(text: str) -> list[str]:
    """Return the URLs of a text that may hold several, with semicolons between them."""
    return [url for url in _NEXT_URL.split(text) if url]


def mask(url: str) -> str:
    """Return `url`, or several with semicolons between them, with the passwords replaced."""
    return ";".join(_masked(one) for one in several_urls(url))


def _rule(field: FieldInfo, value: str) -> str:
    """Return what a setting's declaration asks for."""
    if choices := [choice for choice in get_args(field.annotation) if isinstance(choice, str)]:
        return f"one of {', '.join(choices)}{guess(value, choices)}"
    first, *more = [*_limits(field), ""]
    number = "a whole number" if field.annotation is int else "a number"
    return " and ".join(part for part in (f"{number} {first}".strip(), *more) if part)


def _limits(field: FieldInfo) -> Iterator[str]:
    for limit in field.metadata:
        for attribute, word in LIMITS:
            if hasattr(limit, attribute):
                yield f"{word} {getattr(limit, attribute):g}"


def _shown(value: object) -> str:
    """Return a value as a message may show it: what may be a secret is masked, what is long is cut."""
    if isinstance(value, float):
        return f"{value:g}"
    text = str(value)
    shown = mask(text) if "://" in text else MASK if "@" in text else text
    return repr(shown if len(shown) <= LONGEST_SHOWN else shown[:LONGEST_SHOWN] + "…")


def _masked(url: str) -> str:
    try:
        parts = urlsplit(url)
        secret = parts.password
    except ValueError:
        return MASK
    if secret is not None:
        place = parts.netloc.rpartition("@")[2]
        url = urlunsplit(parts._replace(netloc=f"{parts.username or ''}:{MASK}@{place}"))
    return _QUERY_SECRET.sub(rf"\g<1>{MASK}", url)
